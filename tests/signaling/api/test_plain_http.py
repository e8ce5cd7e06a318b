"""Signaling over plain HTTP on a real server and real sockets of this machine."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter

from signaling.api import plain_http as module
from signaling.api.plain_http import JoinAnswer, JoinBody, MessageAnswer, MessageBody
from signaling.carriers.http_carrier import ALIVE_SECONDS, MOST_WAITING
from signaling.http.app_keys import CLOCK, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES
from tests.signaling.fakes import receive
from tests.signaling.http.callers import enter
from tests.signaling.serving import STANDING_CLOCK, Served, served
from tests.support.patience import PATIENCE


def test_the_document_names_every_message() -> None:
    assert MessageBody.model_json_schema()["properties"]["type"]["enum"] == list(CLIENT_MESSAGES)
    assert MessageAnswer.model_json_schema()["properties"]["type"]["enum"] == list(SERVER_MESSAGES)


def test_the_answer_to_a_join_has_the_shapes_of_the_protocol() -> None:
    schema = JoinAnswer.model_json_schema()
    for name in ("welcome", "joined"):
        shape = TypeAdapter(SERVER_MESSAGES[name]).json_schema()
        assert schema["$defs"][name.capitalize()]["properties"] == shape["properties"]


def test_all_fields_of_a_join_may_be_left_out() -> None:
    assert JoinBody().model_dump(exclude_none=True) == {"display_name": "", "capabilities": {}}


ROOM = "/api/v1/rooms/lobby"
JSON = {"Content-Type": "application/json"}
Event = dict[str, Any]


class Person:
    """Somebody who speaks to the server over plain HTTP."""

    def __init__(self, server: Served, identity: str, room: str = "lobby") -> None:
        self.server = server
        grants = Grants.for_room(room)
        self.token = server.app[TOKENS].issue(identity, grants=grants, utc=server.app[CLOCK].utc())
        self.session: dict[str, str] = {}

    async def post(self, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer; the header with the session is kept."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        response, text = await self.server.ask(
            path, "POST", data=data, headers={**(JSON if data is not None else {}), **self.session, **headers}
        )
        if "Parley-Session" in response.headers:
            self.session = {"Parley-Session": response.headers["Parley-Session"]}
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, json.loads(text)

    async def join(self, body: object = None) -> tuple[int, dict[str, Any]]:
        return await self.post(f"{ROOM}/join", {} if body is None else body, Authorization=f"Bearer {self.token}")

    async def say(self, kind: str, payload: object = None, **more: object) -> tuple[int, dict[str, Any]]:
        return await self.post(f"{ROOM}/signal", {"type": kind, **({"payload": payload} if payload else {}), **more})

    @contextlib.asynccontextmanager
    async def stream(self, last: int | None = None) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = self.session if last is None else {**self.session, "Last-Event-ID": str(last)}
        async with self.server.session.get(f"http://{self.server.host}{ROOM}/events", headers=headers) as response:
            yield response


async def take(response: aiohttp.ClientResponse, kind: str) -> Event:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            block = (await response.content.readuntil(b"\n\n")).decode()
            fields = dict(line.split(": ", 1) for line in block.strip().split("\n") if not line.startswith(":"))
            if fields.get("event") == kind:
                envelope: Event = json.loads(fields["data"])
                assert (envelope["type"], str(envelope["seq"])) == (kind, fields["id"])
                return envelope


async def to_the_end(response: aiohttp.ClientResponse) -> str:
    async with asyncio.timeout(PATIENCE):
        return (await response.read()).decode()


async def test_a_life_of_requests_and_events(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana, ben = Person(server, "ana"), Person(server, "ben")
        status, answer = await ana.join({"display_name": "Ana"})
        assert status == 200
        assert answer["session"] == answer["welcome"]["session"]
        assert ana.session == {"Parley-Session": f"{answer['session']}.{answer['secret']}"}
        assert answer["joined"]["participant"]["name"] == "Ana"
        await ben.join()
        async with ana.stream(answer["seq"]) as events:
            assert events.headers["Content-Type"] == "text/event-stream"
            assert events.headers["Cache-Control"] == "no-store"
            assert (await take(events, "participant-joined"))["payload"]["participant"]["identity"] == "ben"
            assert (await ben.say("message", {"topic": "chat", "body": "hi"}, id="m"))[1]["id"] == "m"
            assert (await take(events, "message"))["payload"]["body"] == "hi"
            status, muted = await ana.say("mute", id=7)
            assert (status, muted["type"]) == (200, "participant-updated")
            assert muted["payload"]["participant"]["self_mute"] is True
            assert await take(events, "participant-updated") == muted, "the answer stands in the stream too"
            assert (await ana.say("offer", {"sdp": "v=0"}))[1]["payload"] == {"sdp": "v=0"}
            status, left = await ana.post(f"{ROOM}/leave")
            assert (status, left["payload"]["reason"]) == (200, "client_initiated")
            assert "event: participant-left" in await to_the_end(events)
        assert (await ana.say("ping"))[0] == 401
        assert [one.identity for one in server.app[GATEWAY].conversation.rooms.find("lobby") or ()] == ["ben"]


async def test_a_message_without_an_answer_is_answered_with_ok(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        status, answer = await ana.say("ice-candidate", {"candidate": ""})
        assert (status, answer["type"], answer["id"]) == (200, "ok", 0)


async def test_errors_are_problems_with_the_codes_of_the_protocol(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        for kind, payload, status, code in (
            ("dance", None, 400, "unknown_type"),
            ("mute", {"hard": True}, 400, "bad_message"),
            ("offer", {"sdp": ""}, 400, "bad_message"),
            ("auth", {"token": "x"}, 409, "unexpected_message"),
            ("join", {"room": "lobby"}, 409, "unexpected_message"),
            ("signal", {"to": "nobody"}, 404, "no_such_participant"),
        ):
            found, problem = await ana.say(kind, payload, id=1)
            assert (found, problem["code"]) == (status, code), problem
        assert (await ana.post(f"{ROOM}/signal", b"not JSON"))[1]["code"] == "bad_message"
        assert (await ana.post(f"{ROOM}/signal", b" " * 65_537))[1]["code"] == "too_large"
        assert (await ana.post(f"{ROOM}/signal", {}, **{"Content-Type": "text/plain"}))[0] == 415
        assert (await ana.say("ping"))[0] == 200, "the session goes on"


async def test_joins_that_are_refused_leave_nothing_behind(tmp_path: Path) -> None:
    async with served(tmp_path, max_participants=1) as server:
        ana, ben = Person(server, "ana"), Person(server, "ben")
        assert (await ana.join({"room": "lobby"}))[1]["code"] == "bad_message"
        assert (await ana.join([]))[1]["code"] == "bad_message"
        bearer = {"Authorization": f"Bearer {ana.token}"}
        assert (await ana.post("/api/v1/rooms/den/join", {}, **bearer))[1]["code"] == "forbidden"
        assert (await ana.post(f"{ROOM}/join", {}))[0] == 401
        assert (await ana.post(f"{ROOM}/join", {}, Authorization="Bearer e.y.J"))[1]["code"] == "token_invalid"
        assert (await ana.post(f"{ROOM}/join", None, Authorization=f"Bearer {ana.token}"))[0] == 200
        assert (await ben.join())[1]["code"] == "room_full"
        conversation = server.app[GATEWAY].conversation
        assert (len(conversation.sessions), len(conversation.connections)) == (1, 1)


async def test_only_the_secret_opens_a_session_and_guesses_are_slowed_down(tmp_path: Path) -> None:
    async with served(tmp_path, failed_auths_per_minute=2) as server:
        ana = Person(server, "ana")
        assert (await ana.say("ping"))[1]["code"] == "unauthenticated"
        _, answer = await ana.join()
        for header in ("", "x", f"{answer['session']}.", f".{answer['secret']}", "unknown.secret"):
            assert (await ana.post(f"{ROOM}/signal", {"type": "ping"}, **{"Parley-Session": header}))[0] == 401
        guess = {"Parley-Session": f"{answer['session']}.{'A' * 22}"}
        codes = [(await ana.post(f"{ROOM}/signal", {"type": "ping"}, **guess))[0] for _ in range(3)]
        assert codes == [401, 401, 429]
        assert (await ana.say("ping"))[0] == 200
        response, _ = await server.ask(f"{ROOM}/events", headers=guess)
        assert response.status == 429
        resume = {"session": answer["session"], "secret": "guess", "seq_ack": 0}
        assert (await Person(server, "eve").say("resume", resume))[0] == 429


async def test_the_path_names_the_room_that_one_is_in(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        for path in ("signal", "leave"):
            assert (await ana.post(f"/api/v1/rooms/den/{path}", {"type": "ping"}))[1]["code"] == "not_in_room"


async def test_a_cut_stream_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        _, answer = await ana.join()
        async with ana.stream(answer["seq"]) as events:
            await ana.say("message", {"topic": "chat", "body": "one"})
            one = await take(events, "message")
        await ana.say("message", {"topic": "chat", "body": "two"})
        async with ana.stream(one["seq"]) as events:
            two = await take(events, "message")
            assert (two["payload"]["body"], two["seq"]) == ("two", one["seq"] + 1)
        for last, status in ((one["seq"] + 99, 400), (-1, 400)):
            async with ana.stream(last) as events:
                assert events.status == status


async def test_past_what_is_kept_the_whole_state_comes(tmp_path: Path) -> None:
    async with served(tmp_path, messages_per_second=1000.0) as server:
        ana = Person(server, "ana")
        await ana.join()
        for _ in range(260):
            await ana.say("participants")
        async with ana.stream(2) as events:
            lost = await take(events, "resume-lost")
            joined = await take(events, "joined")
            assert joined["seq"] == lost["seq"] + 1
            assert [one["identity"] for one in joined["payload"]["participants"]] == ["ana"]


async def test_a_second_stream_ends_the_first(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        async with ana.stream() as first:
            await take(first, "joined")
            async with ana.stream() as second:
                await to_the_end(first)
                await ana.say("mute")
                await take(second, "participant-updated")


async def test_a_stream_that_says_nothing_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        _, answer = await ana.join()
        conversation = server.app[GATEWAY].conversation
        object.__setattr__(conversation.settings, "heartbeat_seconds", 0.0)
        async with ana.stream(answer["seq"]) as events, asyncio.timeout(PATIENCE):
            assert await events.content.readuntil(b"\n\n") == b"retry: 1000\n\n"
            assert await events.content.readuntil(b"\n\n") == b":\n\n"


async def test_a_reader_that_does_not_read_is_cut_and_nobody_else(tmp_path: Path) -> None:
    async with served(tmp_path, messages_per_second=10_000.0) as server:
        ana, ben = Person(server, "ana"), Person(server, "ben")
        await ana.join()
        await ben.join()
        with socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(stuck, ("127.0.0.1", server.port))
            header = ana.session["Parley-Session"]
            request = f"GET {ROOM}/events HTTP/1.1\r\nHost: {server.host}\r\nParley-Session: {header}\r\n\r\n"
            await loop.sock_sendall(stuck, request.encode())
            gateway = server.app[GATEWAY]
            async with asyncio.timeout(PATIENCE):
                while gateway.gauges()["sockets"] == 0:
                    await ben.say("ping")
                while gateway.gauges()["sockets"]:
                    await ben.say("message", {"topic": "chat", "body": "x" * 16_384})
        assert (await ana.say("ping"))[0] == 200, "the session goes on, and the stream can be opened again"
        async with ana.stream() as events:
            await take(events, "joined")


async def test_a_reader_that_vanished_without_a_word_is_given_up_by_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RFC 5482: the user timeout, after which unacknowledged data ends a connection.
    transports: list[asyncio.Transport] = []
    really = module._give_up_the_unacknowledged
    monkeypatch.setattr(module, "_give_up_the_unacknowledged", lambda one: (transports.append(one), really(one)))
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        async with ana.stream() as events:
            await take(events, "joined")
            (transport,) = transports
            wire = transport.get_extra_info("socket")
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == ALIVE_SECONDS * 1000


async def test_a_line_without_a_sign_of_life_is_lost_and_a_request_takes_it_up_again(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana, ben = Person(server, "ana"), Person(server, "ben")
        await ana.join()
        await ben.join()
        gateway = server.app[GATEWAY]
        async with ben.stream() as events:
            gateway.advance(server.app[CLOCK].now() + ALIVE_SECONDS + 1)
            seen = await take(events, "participant-updated")
            assert seen["payload"]["participant"]["state"] == "reconnecting"
            assert (await ana.say("ping"))[0] == 200
            assert (await take(events, "participant-updated"))["payload"]["participant"]["state"] == "joined"
            lost_at = server.app[CLOCK].now() + ALIVE_SECONDS + 1
            gateway.advance(lost_at)
            gateway.advance(lost_at + 60)
            assert (await take(events, "participant-left"))["payload"]["reason"] == "connection_timeout"
        assert (await ana.say("ping"))[0] == 401


async def test_a_session_goes_to_a_websocket_and_back(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        _, answer = await ana.join()
        me = answer["joined"]["participant"]["id"]
        resume = {"session": answer["session"], "secret": answer["secret"], "seq_ack": answer["seq"]}
        options: dict[str, Any] = {"protocols": ("parley.v1",), "headers": {"Origin": f"http://{server.host}"}}
        async with (
            ana.stream(answer["seq"]) as events,
            server.session.ws_connect(f"http://{server.host}/ws", **options) as ws,
        ):
            await ws.send_json({"type": "resume", "id": 1, "payload": resume})
            welcome = await ws.receive_json(timeout=PATIENCE)
            assert (welcome["type"], welcome["payload"]["resumed"]) == ("welcome", True)
            assert "event" not in await to_the_end(events)
            await ws.send_json({"type": "mute", "id": 2})
            muted = await ws.receive_json(timeout=PATIENCE)
            assert (await ana.say("ping"))[0] == 401, "the secret is another one"
            secret = welcome["payload"]["secret"]
            ana.session = {"Parley-Session": f"{answer['session']}.{secret}"}
            assert (await ana.say("ping"))[1]["code"] == "session_taken"
            ana.session = {}
            back = {"session": answer["session"], "secret": secret, "seq_ack": welcome["seq"]}
            status, again = await ana.say("resume", back, id="r")
            assert (status, again["payload"]["resumed"], again["id"]) == (200, True, "r")
            assert (await ws.receive(timeout=PATIENCE)).data == 4410
        async with ana.stream(again["seq"]) as events:
            assert (await take(events, "participant-updated"))["payload"] == muted["payload"]
        status, people = await ana.say("participants")
        assert [one["id"] for one in people["payload"]["participants"]] == [me]


async def test_auth_and_join_can_be_sent_one_by_one(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        assert (await ana.say("auth", {"token": "forged"}))[1]["code"] == "token_invalid"
        status, welcome = await ana.say("auth", {"token": ana.token})
        assert (status, welcome["type"]) == (200, "welcome")
        assert (await ana.say("join", {"room": "lobby"}))[1]["type"] == "joined"


async def test_a_resume_of_nothing_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        status, answer = await Person(server, "ana").say("resume", {"session": "a", "secret": "b", "seq_ack": 0}, id=1)
        assert (status, answer["type"]) == (200, "resume-lost")
        assert server.app[GATEWAY].conversation.sessions == {}


async def test_messages_have_their_limit_and_requests_of_a_session_no_other(tmp_path: Path) -> None:
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=1, messages_per_second=2.0) as server:
        ana = Person(server, "ana")
        _, answer = await ana.join()
        async with ana.stream(answer["seq"]) as events:
            assert (await ana.say("ping"))[0] == 200
            response, _ = await server.ask(f"{ROOM}/signal", "POST", json={"type": "ping"}, headers=ana.session)
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
            assert (await take(events, "error"))["payload"]["code"] == "rate_limited"
            statuses = [(await ana.say("ping"))[0] for _ in range(5)]
            assert 429 in statuses, "what is over is dropped, and answered all the same"
        assert (await ana.join())[0] == 429, "joining is counted with all else that a person asks for"


async def test_so_many_requests_of_a_session_wait_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        gate = asyncio.Event()
        gateway = server.app[GATEWAY]

        async def slow(_session: object, request: object) -> object:
            await gate.wait()
            return request

        monkeypatch.setattr(gateway, "prepare", slow)
        (session,) = gateway.conversation.sessions.values()
        asked = [asyncio.create_task(ana.say("ping", id=number)) for number in range(MOST_WAITING)]
        async with asyncio.timeout(PATIENCE):
            while session.carrier.waiting < MOST_WAITING:  # type: ignore[union-attr]
                await server.ask("/live")
        assert (await ana.say("ping"))[0] == 429
        gate.set()
        answers = await asyncio.gather(*asked)
        assert {answer["type"] for _, answer in answers} == {"pong"}


async def test_a_mistake_of_ours_ends_this_line_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as server:
        ana, ben = Person(server, "ana"), Person(server, "ben")
        await ana.join()
        await ben.join()
        conversation = server.app[GATEWAY].conversation
        with monkeypatch.context() as patch:
            patch.setattr(conversation, "act", lambda *_: 1 / 0)
            async with ana.stream() as events:
                assert (await ana.say("mute"))[0] == 500
                assert '"code":"internal"' in await to_the_end(events)
        assert (await ben.say("ping"))[0] == 200


async def test_whoever_is_removed_reads_why_and_then_the_stream_ends(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana, boss = Person(server, "ana"), enter(server, "boss", "lobby", role="owner")
        _, answer = await ana.join()
        kick = {"action": "kick", "target": answer["joined"]["participant"]["id"], "reason": "noise"}
        async with ana.stream(answer["seq"]) as events:
            order = json.dumps({"type": "moderate", "payload": kick})
            receive(server.app[GATEWAY].conversation, boss, order, server.app[CLOCK].now())
            said = await to_the_end(events)
        assert [line for line in said.splitlines() if line.startswith("event: ")] == [
            "event: moderated",
            "event: participant-left",
            "event: reconnect",
        ]
        assert '"action":"kick"' in said
        assert '"reason":"noise"' in said


async def test_people_are_told_when_the_server_goes_down(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana = Person(server, "ana")
        await ana.join()
        async with ana.stream() as events:
            await server.app[GATEWAY].close()
            assert '"reason":"server_shutdown"' in await to_the_end(events)
        async with ana.stream() as events:
            assert events.status == 503
        assert (await ana.join())[1]["code"] == "server_shutdown"


async def test_foreign_pages_get_nothing_unless_they_are_allowed(tmp_path: Path) -> None:
    async with served(tmp_path, allowed_origins=["https://game.example"]) as server:
        for origin, allowed in (("https://game.example", True), ("https://evil.example", False)):
            headers = {"Origin": origin, "Access-Control-Request-Headers": "parley-session, last-event-id"}
            response, _ = await server.ask(f"{ROOM}/events", "OPTIONS", headers=headers)
            given = response.headers.get("Access-Control-Allow-Headers", "")
            assert ("Parley-Session" in given and "Last-Event-ID" in given) is allowed
