import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from signaling.call.floor import adopt
from signaling.call.rooms import RoomPolicy
from signaling.errors import StorageUnavailable
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from tests.signaling.fakes import FakeCarrier, pid, receive
from tests.signaling.http.callers import enter
from tests.signaling.serving import served

ROOMS = "/api/v1/rooms"


class Caller:
    """Somebody with a token."""

    def __init__(self, server, identity="ana", role=None, **grants):
        self.server = server
        token = server.app[TOKENS].issue(identity, grants=Grants(**grants), utc=datetime.now(UTC), role=role)
        self.headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method, path=ROOMS, body=None, **headers):
        options = {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response, raw = await self.server.ask(path, method, headers=self.headers | named, **options)
        return response, json.loads(raw) if raw else None

    async def status(self, method, path=ROOMS, body=None, **headers):
        return (await self.ask(method, path, body, **headers))[0].status


async def test_a_room_is_made_seen_changed_and_deleted(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, room_create=True)
        response, room = await ana.ask(
            "POST", body={"name": "Den", "id": "den", "password": "s3cret", "is_private": True}
        )
        assert (response.status, response.headers["Location"], response.headers["ETag"]) == (201, f"{ROOMS}/den", '"1"')
        assert (room["owner"], room["created_by"], room["has_password"], room["is_private"]) == (
            "ana",
            "ana",
            True,
            True,
        )
        assert "s3cret" not in json.dumps(room)
        assert "password" not in room
        one = f"{ROOMS}/den"
        response, changed = await ana.ask("PATCH", one, {"password": None, "max_participants": 3}, If_Match='"1"')
        assert (response.headers["ETag"], changed["has_password"], changed["max_participants"]) == ('"2"', False, 3)
        response, seen = await ana.ask("GET", one)
        assert (seen, response.headers["ETag"]) == (changed, '"2"')
        assert await ana.status("DELETE", one, If_Match='"1"') == 412
        response, body = await ana.ask("DELETE", one, If_Match='"2"')
        assert (response.status, body) == (204, None)
        assert await ana.status("GET", one) == 403
        assert await Caller(server, role="operator").status("GET", one) == 404


async def test_a_room_outlasts_the_server(tmp_path):
    async with served(tmp_path) as server:
        _, room = await Caller(server, room_create=True).ask("POST", body={"name": "Den"})
    async with served(tmp_path) as server:
        _, again = await Caller(server).ask("GET", f"{ROOMS}/{room['id']}")
        assert again == room


async def test_a_change_says_which_version_it_means(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, room_create=True)
        await ana.ask("POST", body={"name": "Den", "id": "den"})
        one = f"{ROOMS}/den"
        assert await ana.status("PATCH", one, {}) == 428
        assert await ana.status("PATCH", one, {}, If_Match='"7"') == 412
        assert await ana.status("PATCH", one, {}, If_Match="nonsense") == 412
        assert await ana.status("PATCH", one, {"name": ""}, If_Match="*") == 400
        assert await ana.status("PATCH", one, {"name": "New"}, If_Match="*") == 200


async def test_an_id_is_taken_once(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, room_create=True)
        assert await ana.status("POST", body={"name": "A", "id": "a"}) == 201
        assert await ana.status("POST", body={"name": "A", "id": "a"}) == 409
        assert await ana.status("POST", body={"name": "A", "id": "../a"}) == 400


async def test_a_name_that_is_too_long_is_refused_and_not_cut(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        for length, status in ((64, 201), (65, 400), (5000, 400)):
            assert await ana.status("POST", ROOMS, {"id": f"r{length}", "name": "x" * length}) == status
        _, told = await ana.ask("PATCH", f"{ROOMS}/r64", {"name": "x" * 65}, If_Match="*")
        assert (told["code"], "name" in told["detail"]) == ("bad_message", True)


async def test_pages_and_filters(tmp_path):
    async with served(tmp_path) as server:
        ana, eve = Caller(server, role="operator"), Caller(server, "eve", room_list=True)
        for name in ("one", "two", "three"):
            await ana.ask("POST", body={"name": name, "guild_id": "g", "owner": "ben"})
        await ana.ask("POST", body={"name": "four", "room_type": "raid"})
        names, cursor = [], ""
        while cursor is not None:
            _, page = await eve.ask(
                "GET", f"{ROOMS}?guild=g&owner=ben&limit=2" + (f"&cursor={cursor}" if cursor else "")
            )
            names += [room["name"] for room in page["items"]]
            cursor = page["next_cursor"]
        assert sorted(names) == ["one", "three", "two"]
        assert [room["name"] for room in (await eve.ask("GET", f"{ROOMS}?type=raid"))[1]["items"]] == ["four"]
        assert [room["name"] for room in (await eve.ask("GET", f"{ROOMS}?search=HRE"))[1]["items"]] == ["three"]
        await ana.ask("POST", body={"name": "five", "region": "eu"})
        assert [room["name"] for room in (await eve.ask("GET", f"{ROOMS}?region=eu"))[1]["items"]] == ["five"]
        for wrong in ("limit=0", "limit=x", "cursor=x", "nonsense=1", "owner=a&owner=b", "search="):
            assert await eve.status("GET", f"{ROOMS}?{wrong}") == 400


async def test_every_type_of_room_is_made_and_found(tmp_path):
    types = ("group", "party", "raid", "guild", "private", "global", "proximity")
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        for kind in types:
            assert await ana.status("POST", body={"name": "A", "id": kind, "room_type": kind}) == 201
        for kind in types:
            _, page = await ana.ask("GET", f"{ROOMS}?type={kind}")
            assert [(room["id"], room["room_type"]) for room in page["items"]] == [(kind, kind)]
        assert await ana.status("POST", body={"name": "A", "room_type": "channel"}) == 400
        assert await ana.status("GET", f"{ROOMS}?type=channel") == 400


@pytest.mark.parametrize(
    ("identity", "role", "grants", "statuses"),
    [
        # list, create, read, update, delete of ana's room `den`
        ("eve", None, {}, (403, 403, 403, 403, 403)),
        ("eve", None, {"room": "den"}, (403, 403, 200, 403, 403)),
        ("eve", None, {"room": "den", "room_admin": True}, (403, 403, 200, 403, 403)),
        ("eve", "owner", {"room": "den"}, (403, 403, 200, 200, 204)),
        ("eve", "owner", {"room": "other"}, (403, 403, 403, 403, 403)),
        ("eve", None, {"room_create": True, "room_list": True}, (200, 201, 403, 403, 403)),
        ("ana", None, {}, (403, 403, 200, 200, 204)),
        ("ana", None, {"room": "other"}, (403, 403, 403, 403, 403)),
        ("eve", "operator", {}, (200, 201, 200, 200, 204)),
    ],
)
async def test_who_may(tmp_path, identity, role, grants, statuses):
    async with served(tmp_path) as server:
        await Caller(server, room_create=True).ask("POST", body={"name": "Den", "id": "den"})
        who, one = Caller(server, identity, role, **grants), f"{ROOMS}/den"
        found = (
            await who.status("GET"),
            await who.status("POST", body={"name": "New"}),
            await who.status("GET", one),
            await who.status("PATCH", one, {"name": "x"}, If_Match="*"),
            await who.status("DELETE", one),
        )
        assert found == statuses


async def test_only_operators_give_rooms_to_others(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, room_create=True)
        assert await ana.status("POST", body={"name": "A", "owner": "ben"}) == 403
        assert await ana.status("POST", body={"name": "A", "id": "a", "owner": "ana"}) == 201
        assert await ana.status("PATCH", f"{ROOMS}/a", {"owner": "ben"}, If_Match="*") == 403
        assert await ana.status("PATCH", f"{ROOMS}/a", {"owner": "ana"}, If_Match="*") == 200
        operator = Caller(server, "op", "operator")
        assert (await operator.ask("PATCH", f"{ROOMS}/a", {"owner": "ben"}, If_Match="*"))[1]["owner"] == "ben"


async def test_who_is_in_a_deleted_room_is_told_and_has_left(tmp_path):
    async with served(tmp_path) as server:
        ana, line = Caller(server, room_create=True), FakeCarrier()
        await ana.ask("POST", body={"name": "Den", "id": "den"})
        conversation, tokens = server.app[GATEWAY].conversation, server.app[TOKENS]
        conversation.open(line, 0.0, tokens.issue("ben", grants=Grants.for_room("den"), utc=datetime.now(UTC)))
        receive(conversation, line, '{"type": "join", "payload": {"room": "den"}}', 0.0)
        assert await ana.status("DELETE", f"{ROOMS}/den") == 204
        assert [one["payload"]["reason"] for one in line.take()[-2:]] == ["room_deleted", "room_deleted"]
        assert len(conversation.rooms) == 0


async def test_without_the_database_it_is_503(tmp_path, monkeypatch):
    @asynccontextmanager
    async def away():
        raise StorageUnavailable("no route to db.internal")
        yield

    async with served(tmp_path) as server:
        monkeypatch.setattr(server.app[DATABASE], "transaction", away)
        monkeypatch.setattr(server.app[DATABASE], "reading", away)
        operator = Caller(server, role="operator")
        for method, path, body in (("GET", ROOMS, None), ("POST", ROOMS, {"name": "A"}), ("GET", f"{ROOMS}/a", None)):
            response, told = await operator.ask(method, path, body)
            assert (response.status, told["code"]) == (503, "storage_unavailable")
            assert "internal" not in told["detail"]


async def test_a_change_holds_at_once_for_whoever_is_there(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, room_create=True)
        assert await ana.status("POST", body={"name": "Den", "id": "den"}) == 201
        conversation = server.app[GATEWAY].conversation
        line = FakeCarrier()
        token = server.app[TOKENS].issue("ben", grants=Grants.for_room("den"), utc=datetime.now(UTC))
        now = server.app[CLOCK].now()
        conversation.open(line, now, token)
        receive(conversation, line, '{"type": "join", "payload": {"room": "den"}}', now)
        line.take()
        assert await ana.status("PATCH", f"{ROOMS}/den", {"is_moderated": True}, If_Match='"1"') == 200
        assert line.take("participant-updated")["participant"]["suppressed"]
        conversation.lost(line, now)


async def test_the_rules_of_a_room_that_nobody_kept_hold_from_when_it_is_made(tmp_path):
    async with served(tmp_path) as server:
        line = enter(server, "ben")
        operator = Caller(server, "op", "operator")
        order = {"name": "Den", "id": "den", "is_moderated": True, "owner": "ben"}
        assert await operator.status("POST", body=order) == 201
        (owner, *_) = [frame["payload"]["participant"] for frame in line.take()]
        assert (owner["role"], owner["suppressed"]) == ("owner", False)
        other = enter(server, "cem")
        assert server.app[GATEWAY].conversation.rooms.participant(pid(other)).flags.suppressed


async def test_who_owns_the_room_is_its_owner_at_once_and_who_did_is_so_no_longer(tmp_path):
    async with served(tmp_path) as server:
        operator = Caller(server, "op", "operator")
        await operator.ask("POST", body={"name": "Den", "id": "den", "owner": "ben"})
        conversation, now = server.app[GATEWAY].conversation, server.app[CLOCK].now()
        ben, cem = enter(server, "ben"), enter(server, "cem")
        adopt(conversation, "den", RoomPolicy(version=1, owner="ben"))

        def mutes(one, other):
            one.take()
            order = {"type": "moderate", "id": 1, "payload": {"action": "mute", "target": pid(other)}}
            receive(conversation, one, json.dumps(order), now)
            return [frame["type"] for frame in one.take() if frame.get("id") == 1] == ["ok"]

        assert (mutes(cem, ben), mutes(ben, cem)) == (False, True)
        assert await operator.status("PATCH", f"{ROOMS}/den", {"owner": "cem"}, If_Match="*") == 200
        assert (mutes(ben, cem), mutes(cem, ben)) == (False, True)
