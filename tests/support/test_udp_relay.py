import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.udp_relay import Address, Fading, UdpRelay


class Queue(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.datagrams.put_nowait((data, addr))


@pytest.fixture
async def server() -> AsyncIterator[tuple[asyncio.DatagramTransport, Queue]]:
    loop = asyncio.get_running_loop()
    transport, queue = await loop.create_datagram_endpoint(Queue, local_addr=("127.0.0.1", 0))
    yield transport, queue
    transport.abort()


@pytest.fixture
async def relay(server: tuple[asyncio.DatagramTransport, Queue]) -> AsyncIterator[UdpRelay]:
    one = UdpRelay(server[0].get_extra_info("sockname")[1], seed=5)
    await one.start()
    yield one
    await one.close()


@pytest.fixture
async def client(relay: UdpRelay) -> AsyncIterator[tuple[asyncio.DatagramTransport, Queue]]:
    loop = asyncio.get_running_loop()
    transport, queue = await loop.create_datagram_endpoint(Queue, remote_addr=("127.0.0.1", relay.port))
    yield transport, queue
    transport.abort()


End = tuple[asyncio.DatagramTransport, Queue]


async def test_it_carries_both_ways_and_changes_its_port_when_told(server: End, client: End, relay: UdpRelay) -> None:
    client[0].sendto(b"one")
    data, first = await server[1].datagrams.get()
    assert data == b"one"
    server[0].sendto(b"\x80two", first)
    assert (await client[1].datagrams.get())[0] == b"\x80two"
    await relay.rebind()
    client[0].sendto(b"three")
    data, second = await server[1].datagrams.get()
    assert data == b"three"
    assert second != first
    server[0].sendto(b"\x80four", second)
    await relay.media_comes_back()
    assert (await client[1].datagrams.get())[0] == b"\x80four"


async def test_it_loses_what_its_seed_says(server: End, client: End, relay: UdpRelay) -> None:
    await relay.set_loss(0.5)
    for number in range(100):
        client[0].sendto(bytes([number]))
    if relay.carried + relay.lost < 100:
        await relay.pass_packets(100 - relay.carried - relay.lost)
    assert 30 < relay.lost < 70
    assert relay.carried == 100 - relay.lost


async def test_each_way_has_a_loss_of_its_own(server: End, client: End, relay: UdpRelay) -> None:
    await relay.set_loss(0.0, down=1.0)
    client[0].sendto(b"up")
    data, address = await server[1].datagrams.get()
    assert data == b"up"
    server[0].sendto(b"down", address)
    await relay.pass_packets(1)
    assert (relay.carried, relay.lost) == (1, 1)
    assert client[1].datagrams.empty()


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.2), (0.2, 2.0), (0.3, 1.0)])
def test_bursts_are_as_long_and_as_frequent_as_asked_for(loss: float, burst: float) -> None:
    way = Fading(seed=3)
    way.set(loss, burst)
    first = [way.loses() for _ in range(20_000)]
    bursts = sum(now and not before for before, now in zip([False, *first], first, strict=False))
    assert sum(first) / len(first) == pytest.approx(loss, rel=0.1)
    assert sum(first) / bursts == pytest.approx(burst, rel=0.1)
    way.set(loss, burst)
    assert [way.loses() for _ in range(20_000)] == first


def test_a_dead_way_carries_nothing_and_a_mended_one_everything() -> None:
    way = Fading(seed=3)
    way.set(1.0, 2.0)
    assert all(way.loses() for _ in range(100))
    way.set(0.0)
    assert not any(way.loses() for _ in range(100))
