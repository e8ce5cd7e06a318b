"""A TCP proxy on loopback that cuts, resets, hangs and refuses connections when the test says so."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

from tests.support.patience import PATIENCE

CHUNK = 65536


class TcpProxy:
    """Hands everything on to `target_port`, until it is told to fail. Start it with `start`, end it with `close`.

    `hang` keeps connections open and carries nothing; `go_on` lets what was held back through.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.accepted = 0
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._carriers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut everything."""
        assert self._server is not None
        self._server.close()
        self._flowing.set()
        await self.cut()
        await self._server.wait_closed()

    async def cut(self, *, reset: bool = False, refuse: bool = False) -> None:
        """End all connections, with RST where `reset`; new ones are refused from now on where `refuse`."""
        self._refusing = refuse
        for writer in list(self._writers):
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        if self._carriers:
            await asyncio.wait(self._carriers)

    async def accept(self) -> None:
        """Take new connections again."""
        self._refusing = False

    async def hang(self) -> None:
        """Carry nothing more, without a word to either side."""
        self._flowing.clear()

    async def go_on(self) -> None:
        """Carry again."""
        self._flowing.set()

    async def attempts(self, count: int, within: float = PATIENCE) -> None:
        """Wait until `count` connections were tried since the start, refused ones too."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: self.accepted >= count)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carriers.add(task)
        try:
            self.accepted += 1
            async with self._changed:
                self._changed.notify_all()
            if self._refusing:
                writer.transport.abort()
                return
            async with self._kept(writer):
                try:
                    back, onward = await asyncio.open_connection("127.0.0.1", self.target_port)
                except OSError:
                    return
                async with self._kept(onward):
                    await asyncio.gather(self._carry(reader, onward), self._carry(back, writer))
        finally:
            self._carriers.discard(task)

    @contextlib.asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
