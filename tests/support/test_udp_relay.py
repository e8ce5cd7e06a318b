import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.udp_relay import Address, UdpRelay


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
