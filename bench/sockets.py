"""Many WebSocket clients in one process, for `bench.signaling`: as little work as possible at this end.

Each has one request under way at most. Frames are written whole and read by their lengths (RFC 6455 section 5.2); the
mask is zero, as there is no intermediary between client and server that it could protect.
"""

import base64
import json
import secrets
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection

MASKED_TEXT = 0x81
_LENGTH_16 = 126
ANSWER_WITHIN = 60.0
_ROOM_FOR = 1 << 16

PING = b'{"type":"ping","id":1,"payload":{}}'

Login = tuple[str, str]
"""A token, and the room to join (empty: none)."""


def frame(text: bytes) -> bytes:
    """One masked text frame."""
    size = len(text)
    head = struct.pack("!BB", MASKED_TEXT, 0x80 | size) if size < _LENGTH_16 else b""
    return (head or struct.pack("!BBH", MASKED_TEXT, 0x80 | _LENGTH_16, size)) + bytes(4) + text


def split(data: bytearray) -> list[bytes]:
    """Take whole frames' payloads off the front. Raises ConnectionError for a close frame."""
    payloads = []
    at = 0
    while len(data) - at >= 2:
        size, begin = data[at + 1], at + 2
        if size == _LENGTH_16:
            if len(data) - at < 4:
                break
            size, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        if len(data) < begin + size:
            break
        if data[at] & 0x0F == 8:
            raise ConnectionError(f"the server has closed: {bytes(data[begin + 2 : begin + size])!r}")
        payloads.append(bytes(data[begin : begin + size]))
        at = begin + size
    del data[:at]
    return payloads


class Client:
    """One socket. `peer` is the participant id of whom it sends messages to; `sent_at` when its request went out."""

    def __init__(self, address: tuple[str, int], token: str, path: str = "/ws") -> None:
        """Connect and open the WebSocket; what follows is left to be read."""
        self.socket = socket.create_connection(address, timeout=ANSWER_WITHIN)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.sent_at = 0.0
        self.id = ""
        self.requests: list[bytes] = [frame(PING)]
        self.turn = 0
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        protocols = f"parley.v1, parley.token.{token}" if token else "parley.v1"
        head = [
            f"GET {path} HTTP/1.1",
            f"Host: {address[0]}:{address[1]}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {protocols}",
        ]
        self.socket.sendall("\r\n".join([*head, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        if not answer.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"no WebSocket: {answer[:200]!r}")
        self.data += answer.partition(b"\r\n\r\n")[2]

    def receive(self) -> bytes:
        """What is there. Raises ConnectionError at the end."""
        piece = self.socket.recv(_ROOM_FOR)
        if not piece:
            raise ConnectionError("the server has closed the connection")
        return piece

    def wait_for(self, kind: str) -> dict[str, object]:
        """Read up to a message of that type; its payload. Raises ConnectionError for an error."""
        while True:
            for text in split(self.data):
                message = json.loads(text)
                if message["type"] == kind:
                    payload: dict[str, object] = message["payload"]
                    return payload
                if message["type"] == "error":
                    raise ConnectionError(f"refused: {message['payload']}")
            self.data += self.receive()

    def join(self, room: str) -> None:
        """Enter a room, and remember who one is there."""
        self.socket.sendall(frame(json.dumps({"type": "join", "id": 1, "payload": {"room": room}}).encode()))
        participant = self.wait_for("joined")["participant"]
        assert isinstance(participant, dict)
        self.id = participant["id"]

    def talk_to(self, peer: str) -> None:
        """From now on every other request is a message to that participant."""
        message = {"type": "message", "id": 1, "payload": {"to": peer, "topic": "chat", "body": "how are you?"}}
        self.requests = [frame(PING), frame(json.dumps(message).encode())]

    def ask(self, now: float) -> None:
        """Send the next request."""
        self.sent_at = now
        self.socket.send(self.requests[self.turn])
        self.turn = (self.turn + 1) % len(self.requests)


def run(pipe: Connection, address: tuple[str, int], logins: Sequence[Login], path: str) -> None:
    """Connect all clients, then follow the commands of the pipe until `close`.

    `("flood", seconds)` asks as fast as answers come, and says how many came; `("pace", seconds, a second)` asks that
    often, one client after the other, and says how long each answer took.
    """
    clients = [_logged_in(address, login, path) for login in logins]
    for one, other in zip(clients[::2], clients[1::2], strict=False):
        if one.id:
            one.talk_to(other.id)
            other.talk_to(one.id)
    selector = selectors.EpollSelector()
    for client in clients:
        client.socket.setblocking(False)
        selector.register(client.socket, selectors.EVENT_READ, client)
    pipe.send(len(clients))
    while True:
        match pipe.recv():
            case ("flood", seconds):
                pipe.send(_flood(selector, clients, seconds))
            case ("pace", seconds, rate):
                pipe.send(_pace(selector, clients, seconds, rate))
            case "close":
                break
    for client in clients:
        client.socket.close()
    pipe.send("closed")


def _logged_in(address: tuple[str, int], login: Login, path: str) -> Client:
    token, room = login
    client = Client(address, token, path)
    if token:
        client.wait_for("welcome")
    if room:
        client.join(room)
    return client


def _answers(client: Client) -> int:
    """How many answers to this client's own requests have come (each has our id, 1)."""
    client.data += client.receive()
    return sum(b'"id":1,' in text[:48] or text == PING for text in split(client.data))


def _flood(selector: selectors.BaseSelector, clients: Iterable[Client], seconds: float) -> tuple[int, float]:
    answered, began = 0, time.perf_counter()
    for client in clients:
        client.ask(began)
    now = began
    while now < began + seconds:
        for key, _ in selector.select(1.0):
            client = key.data
            if _answers(client):
                answered += 1
                client.ask(now)
        now = time.perf_counter()
    spent = now - began
    _drain(selector)
    return answered, spent


def _pace(selector: selectors.BaseSelector, clients: Sequence[Client], seconds: float, rate: float) -> list[float]:
    """Seconds from each request to its answer, at a pace that does not wait for answers."""
    took: list[float] = []
    began, asked = time.perf_counter(), 0
    total = int(seconds * rate)
    while len(took) < total:
        now = time.perf_counter()
        if now > began + seconds + ANSWER_WITHIN:
            raise RuntimeError(f"{total - len(took)} of {total} requests were not answered")
        while asked < total and began + asked / rate <= now:
            client = clients[asked % len(clients)]
            client.ask(now)
            asked += 1
        pause = max(0.0, began + asked / rate - time.perf_counter()) if asked < total else 1.0
        for key, _ in selector.select(pause):
            if _answers(key.data):
                took.append(time.perf_counter() - key.data.sent_at)
    return took


def _drain(selector: selectors.BaseSelector) -> None:
    """Read what is still on its way, until nothing has come for a while."""
    while ready := selector.select(0.3):
        for key, _ in ready:
            _answers(key.data)
