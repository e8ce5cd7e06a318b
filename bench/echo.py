"""The floor of `bench.signaling`: a bare aiohttp WebSocket that sends back what it gets, in a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from aiohttp import WSMsgType, web

from bench.join import Server, free_port

START_WITHIN = 20.0


async def _echo(request: web.Request) -> web.WebSocketResponse:
    """Send back each text as it came."""
    line = web.WebSocketResponse(protocols=("parley.v1",), compress=False)
    await line.prepare(request)
    async for message in line:
        if message.type is WSMsgType.TEXT:
            await line.send_str(message.data)
    return line


def serve(port: int) -> None:
    """Run until killed."""
    app = web.Application()
    app.router.add_get("/echo", _echo)
    web.run_app(app, host="127.0.0.1", port=port, print=None, loop=uvloop.new_event_loop())


@contextmanager
def server() -> Iterator[Server]:
    """It, running. Raises RuntimeError where it does not start."""
    port = free_port(socket.SOCK_STREAM)
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "bench.echo", str(port)])
    try:
        while not _there(port):
            if process.poll() is not None or time.perf_counter() - began > START_WITHIN:
                raise RuntimeError("the bare echo did not start")
            time.sleep(0.02)
        yield Server(process, f"http://127.0.0.1:{port}", time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def _there(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    serve(int(sys.argv[1]))
