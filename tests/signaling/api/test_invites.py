import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from signaling.http.app_keys import CLOCK, GATEWAY, SPOOL, TOKENS
from tests.signaling.http.callers import Caller, Line, person, service
from tests.signaling.serving import STANDING_CLOCK, served

ROOMS = "/api/v1/rooms"
OF_DEN = f"{ROOMS}/den/invites"
PREVIEW, ACCEPT, REJECT = (f"/api/v1/invites/{what}" for what in ("preview", "accept", "reject"))
LOCKED = {"is_private": True, "password": "sesame"}


async def den(server, room="den", **fields):
    """A room that is kept, and a moderator of it."""
    order = {"id": room, "name": "The den", **fields}
    assert await person(server, "ops", "operator").status("POST", ROOMS, order) == 201
    return person(server, "mod", room=room, room_join=True, room_admin=True)


async def invite(who, path=OF_DEN, **order):
    response, made = await who.ask("POST", path, order)
    assert response.status == 201, made
    return made


async def join(server, token, room="den", **payload):
    """The frame that a join with this token is answered by, with all that is looked up for it."""
    gateway, line, now = server.app[GATEWAY], Line(), server.app[CLOCK].now()
    conversation = gateway.conversation
    conversation.open(line, now, token)
    line.take()
    text = json.dumps({"type": "join", "id": 1, "payload": {"room": room, **payload}})
    request = conversation.read(line, text, now)
    conversation.act(line, await gateway.prepare(line.session, request), now)
    return next(frame for frame in line.take() if frame["type"] in ("joined", "error"))


async def test_a_guest_comes_into_a_private_room_with_a_password_by_an_invite(tmp_path):
    async with served(tmp_path) as server:
        moderator, guest = await den(server, **LOCKED), Caller(server, None)
        response, made = await moderator.ask("POST", OF_DEN, {})
        assert response.headers["Location"] == f"{OF_DEN}/{made['id']}"
        assert (made["role"], made["max_uses"], made["uses"], made["state"]) == ("member", 1, 0, "open")
        assert made["link"] == f"http://{server.host}/#invite={made['token']}"
        assert len(made["token"]) >= 22, "128 bits"
        lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
        assert lasts == timedelta(hours=24)
        _, shown = await guest.ask("POST", PREVIEW, {"token": made["token"]})
        assert shown == {"room": "den", "room_name": "The den", "role": "member", "expires_at": made["expires_at"]}
        response, told = await guest.ask("POST", ACCEPT, {"token": made["token"], "name": "Ben"})
        assert response.headers["Cache-Control"] == "no-store"
        assert (told["room"], told["room_name"], told["role"], told["guest"]) == ("den", "The den", "member", True)
        assert told["identity"].startswith("guest-")
        claims = server.app[TOKENS].verify(told["token"], datetime.now(UTC))
        assert (claims.identity, claims.name, claims.invited) == (told["identity"], "Ben", True)
        joined = await join(server, told["token"])
        assert joined["payload"]["participant"]["name"] == "Ben"
        stranger = server.app[TOKENS].issue("eve", grants=claims.grants, utc=datetime.now(UTC))
        assert (await join(server, stranger))["payload"]["code"] == "password_required"
        assert await guest.code("POST", ACCEPT, {"token": made["token"]}) == (403, "invite_invalid"), "used up"
        assert await guest.code("POST", PREVIEW, {"token": made["token"]}) == (403, "invite_invalid")


async def test_whoever_has_a_token_stays_who_they_are_and_is_counted_once(tmp_path):
    async with served(tmp_path) as server:
        made = await invite(await den(server, **LOCKED), role="moderator")
        ben = person(server, "ben", room="hall", room_join=True)
        for _ in range(2):
            assert (await ben.ask("POST", PREVIEW, {"token": made["token"]}))[0].status == 200
            _, told = await ben.ask("POST", ACCEPT, {"token": made["token"]})
            assert (told["identity"], told["role"], told["guest"]) == ("ben", "moderator", False)
        assert (await join(server, told["token"]))["payload"]["participant"]["role"] == "moderator"
        assert await person(server, "eve").code("POST", ACCEPT, {"token": made["token"]}) == (403, "invite_invalid")
        game = await service(server, "*")
        assert await game.code("POST", ACCEPT, {"token": made["token"]}) == (403, "forbidden")
        assert await Caller(server, "x.y.z").code("POST", ACCEPT, {"token": made["token"]}) == (401, "token_invalid")


async def test_an_invite_for_one_person_is_for_nobody_else(tmp_path):
    async with served(tmp_path) as server:
        moderator, guest, ben = await den(server), Caller(server, None), person(server, "ben")
        token = {"token": (await invite(moderator, invitee="ben"))["token"]}
        for path in (PREVIEW, ACCEPT, REJECT):
            for who in (guest, person(server, "eve")):
                assert await who.code("POST", path, token) == (403, "invite_invalid")
        assert await ben.status("POST", PREVIEW, token) == 200
        assert (await ben.ask("POST", REJECT, token))[1] == {"room": "den", "ended": True}
        assert await ben.code("POST", ACCEPT, token) == (403, "invite_invalid")
        assert (await moderator.ask("GET", OF_DEN))[1]["items"][0]["state"] == "rejected"
        everybodys = {"token": (await invite(moderator))["token"]}
        assert (await guest.ask("POST", REJECT, everybodys))[1] == {"room": "den", "ended": False}
        assert await guest.status("POST", ACCEPT, everybodys) == 200


async def test_invites_are_listed_without_their_tokens_and_withdrawn(tmp_path):
    async with served(tmp_path) as server:
        moderator = await den(server)
        made = [await invite(moderator, max_uses=number) for number in (1, 2, 3)]
        _, first = await moderator.ask("GET", f"{OF_DEN}?limit=2")
        _, rest = await moderator.ask("GET", f"{OF_DEN}?limit=2&cursor={first['next_cursor']}")
        assert rest["next_cursor"] is None
        listed = first["items"] + rest["items"]
        assert {one["id"] for one in listed} == {one["id"] for one in made}
        assert not any(one["token"] in json.dumps(listed) for one in made)
        where = f"{OF_DEN}/{made[0]['id']}"
        assert await moderator.status("DELETE", where) == 204
        assert await moderator.code("DELETE", where) == (404, "not_found")
        assert await Caller(server, None).code("POST", ACCEPT, {"token": made[0]["token"]}) == (403, "invite_invalid")
        _, page = await moderator.ask("GET", OF_DEN)
        (gone,) = [one for one in page["items"] if one["id"] == made[0]["id"]]
        assert (gone["state"], gone["revoked_by"]) == ("revoked", "mod")
        other = await den(server, "hall")
        assert await other.code("DELETE", f"{ROOMS}/hall/invites/{made[1]['id']}") == (404, "not_found")
        assert (await other.ask("GET", f"{ROOMS}/hall/invites"))[1]["items"] == []


async def test_nobody_grants_a_role_above_their_own(tmp_path):
    async with served(tmp_path) as server:
        moderator, operator = await den(server), person(server, role="operator")
        owner, scoped = person(server, "own", "owner", room="den"), await service(server, "invite.create")
        for who, role, status in (
            (moderator, "moderator", 201),
            (moderator, "owner", 403),
            (owner, "owner", 201),
            (scoped, "member", 201),
            (scoped, "moderator", 403),
            (operator, "owner", 201),
            (operator, "operator", 400),
        ):
            assert await who.status("POST", OF_DEN, {"role": role}) == status, role
        for who in (person(server, "eve", room="den", room_join=True), person(server, "x", "moderator", room="hall")):
            for method, path in (("POST", OF_DEN), ("GET", OF_DEN), ("DELETE", f"{OF_DEN}/x")):
                body = {} if method == "POST" else None
                assert await who.code(method, path, body) == (403, "forbidden")
        assert await operator.code("POST", f"{ROOMS}/nowhere/invites", {}) == (404, "not_found")


async def test_an_owner_by_identity_invites(tmp_path):
    async with served(tmp_path) as server:
        await den(server, owner="ana")
        assert (await invite(person(server, "ana"), role="owner"))["role"] == "owner"


async def test_of_many_who_accept_the_last_use_at_once_one_gets_it(tmp_path):
    async with served(tmp_path, failed_auths_per_minute=100) as server:
        made = await invite(await den(server), max_uses=2)
        guests = [Caller(server, None).code("POST", ACCEPT, {"token": made["token"]}) for _ in range(12)]
        assert sorted(await asyncio.gather(*guests)) == [(200, None)] * 2 + [(403, "invite_invalid")] * 10


async def test_who_guesses_has_to_wait_and_learns_nothing(tmp_path):
    """One answer for a token that never was, was withdrawn, has expired or is used up."""
    async with served(tmp_path, clock=STANDING_CLOCK, failed_auths_per_minute=5) as server:
        moderator, guest = await den(server), Caller(server, None)
        gone, used, good = [await invite(moderator) for _ in range(3)]
        assert await person(server, "ben").status("POST", ACCEPT, {"token": used["token"]}) == 200
        await moderator.ask("DELETE", f"{OF_DEN}/{gone['id']}")
        said = []
        for path, token in (
            (PREVIEW, "guess"),
            (ACCEPT, gone["token"]),
            (REJECT, "x"),
            (ACCEPT, "' OR 1=1 --"),
            (ACCEPT, used["token"]),
        ):
            response, told = await guest.ask("POST", path, {"token": token})
            said.append((response.status, told["code"], told["detail"]))
        assert len(set(said)) == 1
        assert said[0][:2] == (403, "invite_invalid")
        response, told = await guest.ask("POST", ACCEPT, {"token": good["token"]})
        assert (response.status, told["code"], response.headers["Retry-After"]) == (429, "rate_limited", "60")
        assert await Caller(server, "x.y.z").code("GET", ROOMS) == (429, "rate_limited"), "counted with forged tokens"


async def test_each_route_has_a_rate_of_its_own(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK) as server:
        made, guest = await invite(await den(server), max_uses=100), Caller(server, None)
        codes = [await guest.status("POST", PREVIEW, {"token": made["token"]}) for _ in range(62)]
        assert codes == [200] * 60 + [429] * 2


async def test_guests_may_be_kept_out(tmp_path):
    async with served(tmp_path, invite_guests=False) as server:
        token = {"token": (await invite(await den(server)))["token"]}
        for path in (PREVIEW, ACCEPT, REJECT):
            assert await Caller(server, None).code("POST", path, token) == (401, "unauthenticated")
        assert await person(server, "ben").status("POST", ACCEPT, token) == 200


async def test_who_is_banned_is_told_so_and_uses_nothing_up(tmp_path):
    async with served(tmp_path) as server:
        moderator, ben = await den(server), person(server, "ben")
        assert await moderator.status("POST", f"{ROOMS}/den/bans", {"identity": "ben"}) == 201
        made = await invite(moderator)
        assert await ben.code("POST", ACCEPT, {"token": made["token"]}) == (403, "banned")
        assert await Caller(server, None).status("POST", ACCEPT, {"token": made["token"]}) == 200


async def test_a_room_whose_time_is_over_takes_nobody(tmp_path):
    async with served(tmp_path) as server:
        made = await invite(await den(server, scheduled_end="2026-01-01T00:00:00Z"))
        assert await Caller(server, None).code("POST", ACCEPT, {"token": made["token"]}) == (410, "room_closed")
        assert (await (person(server, role="operator")).ask("GET", OF_DEN))[1]["items"][0]["uses"] == 0


async def test_a_join_takes_an_invite_too(tmp_path):
    """`invite` in `join`: the role of it, counted once for each identity, and refused in another room."""
    async with served(tmp_path) as server:
        moderator = await den(server, **LOCKED)
        await den(server, "hall")
        made = (await invite(moderator, role="moderator"))["token"]
        ben = person(server, "ben", room="den", room_join=True).bearer
        for _ in range(2):
            assert (await join(server, ben, invite=made))["payload"]["participant"]["role"] == "moderator"
        eve = person(server, "eve", room="hall", room_join=True).bearer
        assert (await join(server, eve, "hall", invite=made))["payload"]["code"] == "invite_invalid"


async def test_a_repeated_request_is_answered_alike(tmp_path):
    async with served(tmp_path) as server:
        made, guest = await invite(await den(server)), Caller(server, None)
        found = [
            (await guest.ask("POST", ACCEPT, {"token": made["token"]}, Idempotency_Key="k"))[1]["identity"]
            for _ in range(2)
        ]
        assert found[0] == found[1]


async def test_there_is_a_trail_and_no_token_in_it_nor_in_the_log(tmp_path):
    async with served(tmp_path) as server:
        with capture_logs() as logs:
            moderator = await den(server)
            made = await invite(moderator)
            await Caller(server, None).ask("POST", ACCEPT, {"token": made["token"]})
            await Caller(server, None).ask("POST", ACCEPT, {"token": made["token"]})
            await moderator.ask("DELETE", f"{OF_DEN}/{made['id']}")
        await server.app[SPOOL].flush()
        _, trail = await person(server, role="operator").ask("GET", f"{ROOMS}/den/audit")
        acts = [(act["action"], act["actor"], act["target"]) for act in reversed(trail["items"])]
        assert acts == [(f"invite.{verb}", "mod", f"invite:{made['id']}") for verb in ("create", "revoke")]
        assert made["token"] not in str(trail) + str(logs)
        (used,) = [line for line in logs if line["event"] == "invite_accepted"]
        assert (used["invite_id"], used["room_id"]) == (made["id"], "den")


@pytest.mark.parametrize("path", [PREVIEW, ACCEPT, REJECT])
async def test_a_token_has_no_place_in_an_address(tmp_path, path):
    async with served(tmp_path) as server:
        made = await invite(await den(server))
        guest = Caller(server, None)
        assert await guest.status("POST", f"{path}?token={made['token']}", {}) == 400
        assert await guest.status("GET", f"{path}/{made['token']}") == 404


async def test_while_the_database_is_away_it_is_said_so(tmp_path, monkeypatch):
    async with served(tmp_path) as server:
        made = await invite(await den(server))
        gone = {"token": made["token"]}
        database = type(server.app[GATEWAY].look_up._database)
        monkeypatch.setattr(database, "transaction", away)
        assert await Caller(server, None).code("POST", ACCEPT, gone) == (503, "storage_unavailable")


def away(_database):
    from signaling.errors import StorageUnavailable

    raise StorageUnavailable("gone")
