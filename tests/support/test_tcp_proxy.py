import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.tcp_proxy import TcpProxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionResetError):
        while data := await reader.read(100):
            writer.write(data)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    one = TcpProxy(server.sockets[0].getsockname()[1])
    await one.start()
    yield one
    await one.close()
    server.close()
    await server.wait_closed()


async def test_it_carries_both_ways_and_ends_when_one_side_does(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"there and back")
    assert await reader.readexactly(14) == b"there and back"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_cut_ends_connections_and_refuses_new_ones_until_told(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    await reader.readexactly(1)
    await proxy.cut(reset=True, refuse=True)
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.attempts(2)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    await proxy.accept()
    await test_it_carries_both_ways_and_ends_when_one_side_does(proxy)


async def test_a_hang_holds_everything_back(proxy: TcpProxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.hang()
    writer.write(b"late")
    waiting = asyncio.get_running_loop().create_task(reader.readexactly(4))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    await proxy.go_on()
    assert await waiting == b"late"
    writer.close()
    await writer.wait_closed()
