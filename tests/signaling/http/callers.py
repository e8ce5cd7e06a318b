"""Who calls the HTTP interface in tests: people with tokens, services with keys, and lines into rooms."""

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientResponse

from signaling.clock import SYSTEM_CHANCE
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing
from signaling.storage import api_keys
from signaling.storage.api_keys import KeyOrder
from tests.signaling.fakes import FakeCarrier, receive
from tests.signaling.serving import Served


class Caller:
    """Somebody who sends `bearer` with each request."""

    def __init__(self, server: Served, bearer: str | None) -> None:
        self.server = server
        self.bearer = bearer
        self.headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[ClientResponse, Any]:
        options: dict[str, Any] = {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response, raw = await self.server.ask(path, method, headers=self.headers | named, **options)
        return response, json.loads(raw) if raw else None

    async def status(self, method: str, path: str, body: object = None, **headers: str) -> int:
        return (await self.ask(method, path, body, **headers))[0].status

    async def code(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str | None]:
        response, told = await self.ask(method, path, body, **headers)
        return response.status, told.get("code") if isinstance(told, dict) else None


def person(server: Served, identity: str = "ana", role: Any = None, **grants: Any) -> Caller:
    """Somebody with a token."""
    token = server.app[TOKENS].issue(identity, grants=Grants(**grants), utc=datetime.now(UTC), role=role)
    return Caller(server, token)


async def service(server: Served, *scopes: str, rooms: Any = None, **order: Any) -> Caller:
    """A service with a key of these scopes."""
    wanted = KeyOrder(name="game", created_by="ops", scopes=set(scopes), rooms=rooms, **order)
    async with server.app[DATABASE].transaction() as connection:
        _, text = await api_keys.create(connection, wanted, datetime.now(UTC), SYSTEM_CHANCE)
    return Caller(server, text)


class Line(FakeCarrier):
    """A line that the server may still talk to when it stops, as it does with a socket that is closing."""

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        if self.closed is None:
            super().deliver(message, seq, request_id)


def enter(server: Served, identity: str, room: str = "den", role: Any = None, **grants: Any) -> Line:
    """Somebody who has joined a room; nothing is looked up, so that the room is one that nobody keeps."""
    conversation, line, now = server.app[GATEWAY].conversation, Line(), server.app[CLOCK].now()
    granted = Grants(room=room, room_join=True, **grants)
    token = server.app[TOKENS].issue(identity, grants=granted, utc=datetime.now(UTC), role=role)
    conversation.open(line, now, token)
    receive(conversation, line, json.dumps({"type": "join", "payload": {"room": room}}), now)
    assert line.frames[-1]["type"] == "joined", line.frames
    line.take()
    return line
