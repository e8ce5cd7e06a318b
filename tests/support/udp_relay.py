"""A UDP relay on loopback between clients and the media port: a NAT whose ports can change, and a seeded bad link."""

import asyncio
from collections.abc import Callable
from random import Random

from tests.support.patience import PATIENCE

Address = tuple[str, int]


class Fading:
    """One way of a link that loses packets in bursts: the two states of Gilbert's model, one step a packet."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._bad = False
        self._begins = 0.0
        self._goes_on = 0.0

    def set(self, loss: float, burst: float | None = None) -> None:
        """Lose this share, `burst` packets in a row on average; without `burst` each is lost by itself.

        What is lost from here on is the same in every run.
        """
        self._random.seed(self._seed)
        self._bad = False
        if burst is None or loss >= 1:
            self._begins = self._goes_on = loss
        else:
            self._goes_on = 1 - 1 / burst
            self._begins = loss / burst / (1 - loss)

    def loses(self) -> bool:
        """Whether the next packet is lost."""
        self._bad = self._random.random() < (self._goes_on if self._bad else self._begins)
        return self._bad


class UdpRelay:
    """Sends what comes to `port` on to the media port, from a socket of its own for each client, and back.

    What is lost on either way is drawn from `seed`. `carried` and `lost` count.
    """

    def __init__(self, target_port: int, seed: int = 0) -> None:
        self.target: Address = ("127.0.0.1", target_port)
        self.port = 0
        self.carried = 0
        self.lost = 0
        self.up = Fading(seed)
        self.down = Fading(seed + 1)
        self._inside: asyncio.DatagramTransport | None = None
        self._outside: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._came_by: asyncio.Future[None] | None = None
        self._media_back = 0

    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._inside, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self._from_client), local_addr=("127.0.0.1", 0)
        )
        self.port = self._inside.get_extra_info("sockname")[1]

    async def close(self) -> None:
        """Close all sockets."""
        await asyncio.gather(*self._opening)
        for transport in [self._inside, *self._outside.values()]:
            assert transport is not None
            transport.abort()
        # The transports close on the loop's next turn.
        await asyncio.sleep(0)

    async def rebind(self) -> None:
        """Forget all mappings, as a NAT that was restarted: what clients send next leaves from new ports."""
        for transport in self._outside.values():
            transport.abort()
        self._outside.clear()
        self._media_back = 0

    async def set_loss(self, up: float, down: float | None = None, burst: float | None = None) -> None:
        """From now on, lose these shares of the packets to and from the server; `down` is as `up` unless told.

        `burst` is how many are lost in a row, on average; unless told each is lost by itself.
        """
        self.up.set(up, burst)
        self.down.set(up if down is None else down, burst)

    async def pass_packets(self, count: int, within: float = PATIENCE) -> None:
        """Wait until so many more packets came by, lost ones too."""
        wanted = self.carried + self.lost + count
        await self._until(lambda: self.carried + self.lost >= wanted, within)

    async def media_comes_back(self, within: float = PATIENCE) -> None:
        """Wait until the server has sent media to a port that was opened since the last `rebind`."""
        await self._until(lambda: self._media_back > 0, within)

    async def _until(self, condition: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._came_by = asyncio.get_running_loop().create_future()
                await self._came_by

    def _passes(self, way: Fading) -> bool:
        lost = way.loses()
        self.lost += lost
        self.carried += not lost
        if self._came_by is not None and not self._came_by.done():
            self._came_by.set_result(None)
        return not lost

    def _from_client(self, data: bytes, client: Address) -> None:
        if not self._passes(self.up):
            return
        if client in self._outside:
            self._outside[client].sendto(data)
            return
        task = asyncio.get_running_loop().create_task(self._open(data, client))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, data: bytes, client: Address) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(lambda answer, _: self._from_server(answer, client)), remote_addr=self.target
        )
        if client in self._outside:
            self._outside[client].sendto(data)
            transport.abort()
            return
        self._outside[client] = transport
        transport.sendto(data)

    def _from_server(self, data: bytes, client: Address) -> None:
        assert self._inside is not None
        # RFC 7983: RTP and RTCP begin with 128 to 191.
        self._media_back += client in self._outside and 128 <= data[0] <= 191
        if self._passes(self.down) and not self._inside.is_closing():
            self._inside.sendto(data, client)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[bytes, Address], None]) -> None:
        self.hear = hear

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.hear(data, addr)

    def error_received(self, exc: Exception) -> None:
        """A port that is closed says so (ICMP); the next packet may fare better."""
