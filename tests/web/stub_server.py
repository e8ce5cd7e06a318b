"""A stand-in for the server: the page's files under the real security policy, and just enough of `parley.v1`.

Run as a process: `python -m tests.web.stub_server`; it prints its port. Rooms live in memory; offers get an answer that
leads nowhere, so signaling works and no voice flows. A chat message that starts with `/` is an order to the stub:
`/drop` cuts everybody's socket, `/forget` does so and forgets all sessions, `/speak`; `/mute`, `/hush` (for ten days),
`/unmute`, `/kick` and `/ban` do so to whoever says it, for the reason that follows.
"""

import asyncio
import contextlib
import itertools
import json
import re
import secrets
import time
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from signaling.http.files import add_files, read_files
from signaling.http.headers import content_security_policy

JOINED_AT = "2026-01-02T03:04:05Z"
TEN_DAYS_LATER = time.strftime("%Y-%m-%dT12:34:00Z", time.gmtime(time.time() + 864_000))
UNREACHABLE = "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
GOOD_INVITE = "good-invite"
FLIPPED = {"sendonly": "recvonly", "recvonly": "sendonly", "sendrecv": "sendrecv", "inactive": "inactive"}
DROPPED = ("a=ice-", "a=fingerprint:", "a=setup:", "a=ssrc", "a=msid", "a=candidate:")

Payload = dict[str, Any]


def answer_to(offer: str) -> str:
    """An answer that a browser accepts; its only candidate is a port where nobody listens."""
    session, *lines = re.split(r"(?m)^(?=m=)", offer)
    kept = [line for line in session.splitlines() if line.startswith(("v=", "s=", "t=", "a=group:"))]
    parts = ["\r\n".join([kept[0], "o=- 1 1 IN IP4 127.0.0.1", *kept[1:], "a=ice-lite", ""])]
    for line in lines:
        attributes = [text for text in line.splitlines() if not text.startswith(DROPPED)]
        attributes = [f"a={FLIPPED[text[2:]]}" if text[2:] in FLIPPED else text for text in attributes]
        transport = [
            "a=ice-ufrag:stub",
            "a=ice-pwd:stubstubstubstubstubstubstub",
            "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
            "a=setup:passive",
        ]
        parts.append("\r\n".join([*attributes, *transport, ""]) + UNREACHABLE)
    return "".join(parts)


class Session:
    """One person: what is kept when the socket is lost."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = secrets.token_hex(4)
        self.secret = ""
        self.seq = 0
        self.missed: list[Payload] = []
        self.socket: web.WebSocketResponse | None = None
        self.view: Payload = {}

    async def send(self, type_: str, payload: Payload, id_: object = None) -> None:
        self.seq += 1
        message = {"type": type_, "seq": self.seq, "payload": payload} | ({"id": id_} if id_ else {})
        if self.socket is None:
            self.missed.append(message)
            return
        with contextlib.suppress(ConnectionError):
            await self.socket.send_json(message)

    async def welcome(self, *, resumed: bool, id_: object = None) -> None:
        self.secret = secrets.token_hex(16)
        names = {"identity": f"stub-{self.name}", "name": self.name, "server": {"name": "parley", "version": "0"}}
        limits = {"message_bytes": 65536, "messages_per_second": 50, "resume_seconds": 60}
        session = {"session": self.id, "secret": self.secret, "resumed": resumed}
        await self.send("welcome", {**session, **names, "limits": limits}, id_)


class Stub:
    """The rooms and what may be asked in them."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, Session]] = {}
        self.sessions: dict[str, Session] = {}

    async def join(self, session: Session, payload: Payload, id_: object) -> None:
        if payload["room"] == "locked":
            await session.send("error", {"code": "password_required", "message": "This room needs a password."}, id_)
            return
        if payload["room"] == "barred":
            told = {"code": "banned", "message": "You are banned.", "details": {"until": TEN_DAYS_LATER}}
            await session.send("error", told, id_)
            return
        room = self.rooms.setdefault(payload["room"], {})
        flags = dict.fromkeys(("self_mute", "self_deaf", "mute", "deaf", "suppressed", "held"), False)
        who = {"id": session.id, "identity": f"stub-{session.name}", "name": session.name, "joined_at": JOINED_AT}
        session.view = {**who, "role": "member" if room else "owner", "state": "active", **flags}
        for other in room.values():
            await other.send("participant-joined", {"participant": session.view})
        room[session.id] = session
        people = [one.view for one in room.values()]
        limits = {"slots": 8, "max_participants": 50} | ({"message_days": 7} if payload["room"] == "kept" else {})
        call = {"id": f"call-{payload['room']}", "state": "active", "started_at": JOINED_AT}
        state = {"room": payload["room"], "call": call, "participant": session.view, "participants": people}
        await session.send("joined", {**state, "ice_servers": [], "limits": limits}, id_)

    def room_of(self, session: Session) -> dict[str, Session]:
        return next((room for room in self.rooms.values() if session.id in room), {})

    async def tell(self, session: Session, type_: str, payload: Payload, *, itself: bool = True) -> None:
        for other in list(self.room_of(session).values()):
            if itself or other is not session:
                await other.send(type_, payload)

    async def leave(self, session: Session, reason: str) -> None:
        await self.tell(session, "participant-left", {"participant": session.id, "reason": reason})
        self.room_of(session).pop(session.id, None)
        self.sessions.pop(session.id, None)

    async def set_flag(self, session: Session, type_: str, id_: object) -> None:
        flag = {"mute": "self_mute", "deafen": "self_deaf", "hold": "held"}[type_.removeprefix("un")]
        session.view[flag] = not type_.startswith("un")
        await session.send("participant-updated", {"participant": session.view}, id_)
        await self.tell(session, "participant-updated", {"participant": session.view}, itself=False)

    async def message(self, session: Session, payload: Payload, id_: object) -> None:
        order = payload["body"]
        if order.startswith("/"):
            await session.send("ok", {}, id_)
            await self.obey(session, order[1:])
            return
        sent = {"from": session.id, "to": payload.get("to"), "topic": payload["topic"], "body": order}
        sent["sent_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        await session.send("message", sent, id_)
        await self.tell(session, "message", sent, itself=False)

    async def obey(self, session: Session, order: str) -> None:
        everybody = list(self.room_of(session).values())
        if order in ("drop", "forget"):
            if order == "forget":
                self.sessions.clear()
                self.rooms.clear()
            for one in everybody:
                socket, one.socket = one.socket, None
                if socket is not None:
                    socket._set_code_close_transport(WSCloseCode.ABNORMAL_CLOSURE)  # no closing handshake
        elif order == "speak":
            await self.tell(
                session, "speakers", {"speakers": [{"participant": one.id, "level": 0.2} for one in everybody[:1]]}
            )
        elif order.split(maxsplit=1)[0] in ("mute", "hush", "unmute", "kick", "ban"):
            await self.moderate(session, *order.split(maxsplit=1))

    async def moderate(self, session: Session, action: str, reason: str | None = None) -> None:
        told = {"action": "mute" if action == "hush" else action, "by": None, "reason": reason}
        await session.send("moderated", told | ({"until": TEN_DAYS_LATER} if action in ("hush", "ban") else {}))
        if action in ("kick", "ban"):
            why = "banned" if action == "ban" else "removed"
            await session.send("reconnect", {"action": "disconnect", "reason": why})
            await self.leave(session, why)
        else:
            session.view["mute"] = action != "unmute"
            await self.tell(session, "participant-updated", {"participant": session.view})

    async def handle(self, session: Session, type_: str, payload: Payload, id_: object) -> None:
        if type_ == "join":
            await self.join(session, payload, id_)
        elif type_ == "offer":
            await session.send("answer", {"sdp": answer_to(payload["sdp"])}, id_)
            mids = re.findall(r"(?m)^a=mid:(\S+)", payload["sdp"])[1:]
            others = [one for one in self.room_of(session) if one != session.id]
            slots = [{"mid": mid, "participant": who, "gain": 1.0} for mid, who in itertools.zip_longest(mids, others)]
            await session.send("slots", {"slots": slots[: len(mids)]})
        elif type_ in ("mute", "unmute", "deafen", "undeafen", "hold", "unhold"):
            await self.set_flag(session, type_, id_)
        elif type_ == "dtmf":
            await session.send("ok", {}, id_)
            for tone in payload["tones"]:
                pressed = {"from": session.id, "tone": tone, "duration_ms": payload.get("duration_ms", 100)}
                await self.tell(session, "dtmf", pressed, itself=False)
        elif type_ == "message":
            await self.message(session, payload, id_)
        elif type_ == "ping":
            await session.send("pong", {"seq_ack": payload.get("seq_ack")}, id_)
        elif type_ == "leave":
            await self.leave(session, "client_initiated")
        elif type_ == "ice-candidate":
            return
        else:
            await session.send("error", {"code": "unknown_type", "message": f"the stub has no {type_}"}, id_)

    async def resume(self, fresh: Session, payload: Payload) -> Session:
        known = self.sessions.get(payload["session"])
        if known is None or known.secret != payload["secret"]:
            await fresh.send("resume-lost", {})
            return fresh
        known.socket, fresh.socket = fresh.socket, None
        await known.welcome(resumed=True)
        missed, known.missed = known.missed, []
        for message in missed:
            await known.send(message["type"], message["payload"], message.get("id"))
        return known

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["parley.v1"])
        await socket.prepare(request)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        token = next((one[13:] for one in offered.split(", ") if one.startswith("parley.token.")), "")
        session = Session(token.rpartition(".")[2])
        session.socket = socket
        if token == "expired":
            await session.send("error", {"code": "token_expired", "message": "The token has expired."})
            await socket.close(code=4402, message=b"token_expired")
        elif token:
            self.sessions[session.id] = session
            await session.welcome(resumed=False)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            data = json.loads(message.data)
            if data["type"] == "resume":
                session = await self.resume(session, data["payload"])
            elif data["type"] == "auth":
                session.name = data["payload"]["token"].rpartition(".")[2]
                self.sessions[session.id] = session
                await session.welcome(resumed=False, id_=data.get("id"))
            else:
                await self.handle(session, data["type"], data["payload"], data.get("id"))
        if session.socket is socket:
            session.socket = None
        return socket


def invalid() -> web.Response:
    return web.json_response({"code": "invite_invalid", "detail": "The invite is unknown."}, status=403)


def make_app(*, dev: bool = True) -> web.Application:
    app = web.Application()
    stub = Stub()

    async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = content_security_policy(request.host)

    async def config(_: web.Request) -> web.Response:
        return web.json_response({"dev": dev, "version": "0", "slots": 8})

    async def token(request: web.Request) -> web.Response:
        wanted = await request.json()
        name = re.sub(r"[^A-Za-z0-9_-]", "", wanted["name"])
        return web.json_response({"token": f"stub.{name}", "url": f"ws://{request.host}/ws"})

    async def blank(_: web.Request) -> web.Response:
        return web.Response(
            text='<!doctype html><title>Blank</title><link rel="icon" href="/page/favicon.svg">',
            content_type="text/html",
        )

    async def preview(request: web.Request) -> web.Response:
        wanted = await request.json()
        return (
            invalid() if wanted["token"] != GOOD_INVITE else web.json_response({"room": "den", "room_name": "The den"})
        )

    async def accept(request: web.Request) -> web.Response:
        wanted = await request.json()
        if wanted["token"] != GOOD_INVITE:
            return invalid()
        return web.json_response({"token": f"stub.{wanted['name']}", "room": "den", "room_name": "The den"})

    async def invite(request: web.Request) -> web.Response:
        wanted = await request.json()
        if not request.headers.get("Authorization", "").startswith("Bearer stub."):
            return web.json_response({"code": "unauthenticated"}, status=401)
        if request.match_info["id"] == "unkept":
            return web.json_response({"code": "not_found"}, status=404)
        return web.json_response({"token": f"for-{wanted['max_uses']}-{wanted['expires_in']}"}, status=201)

    app.on_response_prepare.append(on_prepare)
    app.router.add_post("/api/v1/invites/preview", preview)
    app.router.add_post("/api/v1/invites/accept", accept)
    app.router.add_post("/api/v1/rooms/{id}/invites", invite)
    app.router.add_get("/blank", blank)
    app.router.add_get("/ws", stub.websocket)
    app.router.add_get("/api/v1/config", config)
    app.router.add_post("/dev/token", token)
    add_files(app, read_files())
    return app


async def serve() -> None:
    runners = []
    for dev in (True, False):
        runner = web.AppRunner(make_app(dev=dev), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
    print(*(runner.addresses[0][1] for runner in runners), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
