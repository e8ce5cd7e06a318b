"""A receiver of webhooks in a thread of its own: remembers what it gets, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any

from tests.support.patience import PATIENCE


@dataclass(frozen=True)
class Received:
    """One request, and the status that it was answered with."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """What a test sees. `answer` gives the status for each request; `hold` lets requests wait while it is clear."""

    port: int = 0
    answer: Callable[[dict[str, Any]], int] = lambda _event: 204
    requests: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    hold: threading.Event = field(default_factory=threading.Event)
    started: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def accepted(self, path: str = "/hook") -> list[Received]:
        return [one for one in self.requests if one.status < 300 and one.path == path]

    def wait_for(self, seen: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Until `seen` says so; it is asked after each request."""
        end = monotonic() + seconds
        with self.changed:
            while not seen():
                assert self.changed.wait(end - monotonic()), f"{len(self.requests)} requests, and not what was awaited"


@contextmanager
def receiver_thread(**chosen: Any) -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver(**chosen)
    receiver.hold.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.changed:
                receiver.started += 1
                receiver.changed.notify_all()
            receiver.hold.wait(PATIENCE)
            with receiver.changed:
                status = receiver.answer(json.loads(body))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(self.path, headers, body, status))
                receiver.changed.notify_all()
            try:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None: ...

    with Server(("127.0.0.1", receiver.port), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.hold.set()
            server.shutdown()
            thread.join()
