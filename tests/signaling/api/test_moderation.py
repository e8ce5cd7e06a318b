import json
from datetime import UTC, datetime, timedelta

import pytest

from signaling.http.app_keys import GATEWAY, SPOOL
from signaling.protocol.client_messages import LASTING
from tests.sfu.offers import one_line
from tests.signaling.fakes import pid, receive
from tests.signaling.http.callers import Caller, Line, enter, person, service
from tests.signaling.serving import served
from tests.support.patience import PATIENCE

DEN = "/api/v1/rooms/den"
ACT, BANS, AUDIT = f"{DEN}/moderation", f"{DEN}/bans", f"{DEN}/audit"
SERVER_BANS = "/api/v1/bans"


def flags(server, line):
    return server.app[GATEWAY].conversation.rooms.participant(pid(line)).flags


@pytest.mark.parametrize(("do", "undo", "flag"), [("mute", "unmute", "mute"), ("deafen", "undeafen", "deaf")])
@pytest.mark.parametrize("by", ["target", "identity"])
async def test_a_service_acts_on_somebody_as_a_moderator_in_the_room_does(tmp_path, do, undo, flag, by):
    async with served(tmp_path) as server:
        ana, ben, game = enter(server, "ana"), enter(server, "ben"), await service(server, "participant.*")
        ana.take()
        who = {by: pid(ana) if by == "target" else "ana"}
        response, told = await game.ask("POST", ACT, {"action": do, **who, "reason": "noise", "duration": 60})
        assert (response.status, told) == (200, {"action": do, "identity": "ana"})
        assert getattr(flags(server, ana), flag)
        notice, update = ana.take()
        assert notice["payload"]["by"] is None
        assert (notice["payload"]["reason"], "until" in notice["payload"]) == ("noise", True)
        assert update["payload"]["participant"][flag] is True
        assert ben.types == ["participant-updated"]
        assert await game.status("POST", ACT, {"action": undo, **who}) == 200
        assert not getattr(flags(server, ana), flag)


async def test_who_is_not_there_is_said_only_to_who_may_act(tmp_path):
    async with served(tmp_path) as server:
        enter(server, "ana")
        moderator, member = person(server, "mod", room="den", room_admin=True), person(server, "eve", room="den")
        for order in ({"identity": "nobody"}, {"target": "nobody"}):
            assert await moderator.code("POST", ACT, {"action": "kick", **order}) == (404, "no_such_participant")
            assert await member.code("POST", ACT, {"action": "kick", **order}) == (403, "forbidden")
        empty = "/api/v1/rooms/empty/moderation"
        operator = person(server, role="operator")
        assert await operator.code("POST", empty, {"action": "kick", "target": "p"}) == (404, "no_such_participant")
        wrong = {"action": "kick", "identity": "ana", "duration": 5}
        assert await moderator.code("POST", ACT, wrong) == (400, "bad_message")


async def test_a_kick_withdraws_the_token(tmp_path):
    async with served(tmp_path) as server:
        ana, moderator = enter(server, "ana"), person(server, "mod", room="den", room_admin=True)
        assert await moderator.status("POST", ACT, {"action": "kick", "identity": "ana"}) == 200
        assert (ana.types, ana.closed) == (["moderated", "participant-left", "reconnect"], "forbidden")
        assert len(server.app[GATEWAY].conversation.rooms) == 0


async def test_somebody_is_moved_with_the_rules_of_the_other_room(tmp_path):
    async with served(tmp_path) as server:
        operator, ana = person(server, "op", role="operator"), enter(server, "ana")
        await operator.ask("POST", "/api/v1/rooms", {"name": "Stage", "id": "stage", "is_moderated": True})
        order = {"action": "move", "identity": "ana", "room": "stage"}
        assert await operator.status("POST", ACT, order) == 200
        assert "moved" in ana.types
        assert server.app[GATEWAY].conversation.rooms.participant(pid(ana)).room_id == "stage"
        assert flags(server, ana).suppressed
        _, page = await operator.ask("GET", "/api/v1/rooms/stage/participants")
        assert [one["identity"] for one in page["items"]] == ["ana"]


async def test_a_ban_of_who_is_there_is_listed_and_lifted(tmp_path):
    async with served(tmp_path) as server:
        ana, moderator = enter(server, "ana"), person(server, "mod", room="den", room_admin=True)
        response, ban = await moderator.ask("POST", BANS, {"identity": "ana", "duration": 3600, "reason": "noise"})
        assert (response.status, ban["identity"], ban["created_by"], ban["by_role"]) == (201, "ana", "mod", "moderator")
        assert (ana.types[0], ana.closed) == ("moderated", "banned")
        assert await person(server, "ana", room="den").code("GET", DEN) == (403, "banned")
        _, page = await moderator.ask("GET", BANS)
        assert page["items"] == [ban]
        one = f"{BANS}/{ban['id']}"
        assert await person(server, "eve", room="den").status("DELETE", one) == 403
        assert await moderator.status("DELETE", f"{BANS}/none") == 404
        assert await moderator.status("DELETE", one) == 204
        assert await moderator.status("DELETE", one) == 404
        assert (await moderator.ask("GET", BANS))[1]["items"] == []
        (ended,) = (await moderator.ask("GET", f"{BANS}?ended=true"))[1]["items"]
        assert (ended["id"], ended["lifted_by"]) == (ban["id"], "mod")
        assert await person(server, "ana", room="den").status("GET", f"{DEN}/participants") == 200


@pytest.mark.parametrize("way", ["bans", "moderation"])
async def test_somebody_who_is_not_there_can_be_banned_and_unbanned(tmp_path, way):
    async with served(tmp_path) as server:
        game = await service(server, "participant.*", "ban.list")
        path, order = (BANS, {}) if way == "bans" else (ACT, {"action": "ban"})
        assert await game.status("POST", path, {"identity": "ana", **order}) in (200, 201)
        assert await person(server, "ana", room="den").code("GET", DEN) == (403, "banned")
        assert len((await game.ask("GET", BANS))[1]["items"]) == 1
        assert await game.status("POST", ACT, {"action": "unban", "identity": "ana"}) == 200
        assert (await game.ask("GET", BANS))[1]["items"] == []
        assert await game.code("POST", ACT, {"action": "unban", "identity": "ana"}) == (404, "no_such_participant")


async def test_a_moderator_does_not_ban_the_owner_who_is_away(tmp_path):
    async with served(tmp_path) as server:
        await person(server, "ana", room_create=True).ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        moderator = person(server, "mod", room="den", room_admin=True)
        assert await moderator.code("POST", BANS, {"identity": "ana"}) == (403, "forbidden")
        assert await moderator.status("POST", BANS, {"identity": "eve"}) == 201


async def test_a_moderator_does_not_ban_who_was_of_a_higher_role_when_last_here(tmp_path):
    async with served(tmp_path) as server:
        boss = enter(server, "boss", role="owner")
        receive(server.app[GATEWAY].conversation, boss, '{"type": "leave"}', 0.0)
        await server.app[SPOOL].flush()
        moderator = person(server, "mod", room="den", room_admin=True)
        assert await moderator.code("POST", BANS, {"identity": "boss"}) == (403, "forbidden")
        assert await person(server, role="operator").status("POST", BANS, {"identity": "boss"}) == 201


async def test_a_ban_of_a_higher_one_is_not_lifted_by_a_lower_one(tmp_path):
    async with served(tmp_path) as server:
        game = await service(server, "participant.ban", "participant.unban")
        owner = person(server, "boss", role="owner", room="den")
        _, ban = await game.ask("POST", BANS, {"identity": "ana"})
        assert await owner.code("DELETE", f"{BANS}/{ban['id']}") == (403, "forbidden")
        assert await game.status("DELETE", f"{BANS}/{ban['id']}") == 204


async def test_a_ban_of_another_room_is_not_there(tmp_path):
    async with served(tmp_path) as server:
        operator = person(server, "op", role="operator")
        _, ban = await operator.ask("POST", BANS, {"identity": "ana"})
        other = person(server, room="other", role="owner")
        assert await other.status("DELETE", f"/api/v1/rooms/other/bans/{ban['id']}") == 404
        assert await operator.status("DELETE", f"{SERVER_BANS}/{ban['id']}") == 404
        assert (await other.ask("GET", "/api/v1/rooms/other/bans"))[1]["items"] == []


async def test_a_ban_from_the_server_holds_in_all_rooms(tmp_path):
    async with served(tmp_path) as server:
        lines = [enter(server, "ana", room) for room in ("den", "attic")]
        operator = person(server, "op", role="operator")
        response, ban = await operator.ask("POST", SERVER_BANS, {"identity": "ana"})
        assert (response.status, ban["room_id"]) == (201, None)
        assert [line.closed for line in lines] == ["banned", "banned"]
        assert await person(server, "ana").code("GET", "/api/v1/rooms") == (403, "banned")
        assert (await operator.ask("GET", SERVER_BANS))[1]["items"] == [ban]
        trail = (await operator.ask("GET", "/api/v1/audit"))[1]["items"]
        assert [(act["action"], act["target"], act["room_id"]) for act in trail] == [("server_ban.create", "ana", None)]
        assert (await operator.ask("GET", BANS))[1]["items"] == []
        assert await operator.status("DELETE", f"{BANS}/{ban['id']}") == 404
        assert await operator.status("DELETE", f"{SERVER_BANS}/{ban['id']}") == 204
        assert await person(server, "ana", room_list=True).status("GET", "/api/v1/rooms") == 200


async def test_only_operators_and_services_with_the_scope_ban_from_the_server(tmp_path):
    async with served(tmp_path) as server:
        for who in (
            person(server, role="owner", room="den"),
            person(server, role="owner"),
            await service(server, "participant.*", "ban.*"),
            await service(server, "*", rooms={"den"}),
        ):
            assert await who.status("GET", SERVER_BANS) == 403
            assert await who.status("POST", SERVER_BANS, {"identity": "ana"}) == 403
            assert await who.status("DELETE", f"{SERVER_BANS}/x") == 403
        assert await (await service(server, "server_ban.*")).status("POST", SERVER_BANS, {"identity": "ana"}) == 201


async def test_the_trail_says_who_did_what_whichever_way_they_asked(tmp_path):
    async with served(tmp_path) as server:
        ana, boss = enter(server, "ana"), enter(server, "boss", role="owner")
        game = await service(server, "participant.*")
        await game.ask("POST", ACT, {"action": "mute", "identity": "ana", "reason": "noise"})
        order = f'{{"type": "moderate", "payload": {{"action": "unmute", "target": "{pid(ana)}"}}}}'
        receive(server.app[GATEWAY].conversation, boss, order, 0.0)
        await server.app[SPOOL].flush()
        owner = person(server, "boss", role="owner", room="den")
        _, page = await owner.ask("GET", AUDIT)
        unmute, mute = page["items"]
        assert (unmute["action"], unmute["actor"], unmute["actor_role"]) == ("participant.unmute", "boss", "owner")
        assert (mute["action"], mute["actor_role"], mute["target"], mute["reason"], mute["address"]) == (
            "participant.mute",
            "service",
            "ana",
            "noise",
            "127.0.0.1",
        )
        assert mute["actor"].startswith("apikey:")
        assert mute["participant_id"] == pid(ana)
        for query, count in (
            ("action=participant.mute", 1),
            ("actor=boss", 1),
            ("target=ana", 2),
            (f"since={datetime.now(UTC).year + 1}-01-01T00:00:00Z", 0),
            ("limit=1", 1),
        ):
            assert len((await owner.ask("GET", f"{AUDIT}?{query}"))[1]["items"]) == count, query
        assert await person(server, "mod", room="den", room_admin=True).status("GET", AUDIT) == 403
        assert await Caller(server, None).status("GET", AUDIT) == 401


async def test_the_same_act_twice_under_one_key_is_done_once(tmp_path):
    async with served(tmp_path) as server:
        ana: Line = enter(server, "ana")
        game = await service(server, "participant.*")
        for _ in range(2):
            order = {"action": "mute", "identity": "ana"}
            assert await game.status("POST", ACT, order, Idempotency_Key="k") == 200
        assert ana.types == ["moderated", "participant-updated"]


ACTS = {
    "mute": (None, "mute", True),
    "unmute": ("mute", "mute", False),
    "deafen": (None, "deaf", True),
    "undeafen": ("deafen", "deaf", False),
    "take_floor": (None, "suppressed", True),
    "give_floor": ("take_floor", "suppressed", False),
    "move": (None, None, None),
    "kick": (None, None, None),
    "ban": (None, None, None),
    "unban": ("ban", None, None),
}
"""Each act: the one that makes it possible, the flag that it sets, and to what."""


@pytest.mark.parametrize("action", ACTS)
async def test_each_act_is_told_seen_written_and_an_event_with_who_why_and_until_when(tmp_path, action):
    first, flag, value = ACTS[action]
    async with served(tmp_path) as server:
        ana, ben, game = enter(server, "ana"), enter(server, "ben"), await service(server, "*")
        if first is not None:
            assert await game.status("POST", ACT, {"action": first, "identity": "ana"}) == 200
        ana.take(), ben.take()
        order = {"action": action, "identity": "ana", "reason": "noise"}
        order |= {"duration": 60} if action in LASTING else {"room": "attic"} if action == "move" else {}
        assert await game.status("POST", ACT, order) == 200
        told = [frame["payload"] for frame in ana.take() if frame["type"] == "moderated"]
        assert [(one["action"], one["by"], one["reason"]) for one in told] == (
            [] if action == "unban" else [(action, None, "noise")]
        )
        assert ["until" in one for one in told] == [action in LASTING] * len(told)
        seen = ben.take()
        if flag is not None:
            assert getattr(flags(server, ana), flag) is value
            assert [frame["payload"]["participant"][flag] for frame in seen] == [value]
        reasons = {"move": "migration", "kick": "removed", "ban": "banned"}
        assert [one["payload"].get("reason") for one in seen if flag is None] == [
            reasons[one] for one in (action,) if one in reasons
        ]
        operator = person(server, role="operator")
        act = (await operator.ask("GET", f"{AUDIT}?action=participant.{action}"))[1]["items"][0]
        assert (act["actor_role"], act["target"], act["reason"]) == ("service", "ana", "noise")
        assert act["details"] == ({"room": "attic"} if action == "move" else {})
        lasts = timedelta(seconds=60) if action in LASTING else None
        since, until = (act[name] and datetime.fromisoformat(act[name]) for name in ("created_at", "expires_at"))
        assert (until and until - since) == lasts
        events = (await operator.ask("GET", "/api/v1/events?limit=100"))[1]["items"]
        event = [one["data"] for one in events if one["type"] == "moderation.action"][-1]
        assert (event["id"], event["action"], event["actor"]) == (act["id"], act["action"], act["actor"])
        assert (event["target"], event["reason"], event["until"] is None) == ("ana", "noise", lasts is None)
        assert event["to_room"] == act["details"].get("room")


@pytest.mark.parametrize(("action", "status", "code"), [("kick", 401, "token_invalid"), ("ban", 403, "banned")])
async def test_who_was_removed_comes_back_with_the_same_token_on_no_path(tmp_path, action, status, code):
    """The WebSocket, plain HTTP, WHIP, WHEP, the interface, invites: what was open ends, and nothing opens."""
    async with served(tmp_path) as server:
        operator = person(server, "op", role="operator")
        await operator.ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        _, invite = await operator.ask("POST", f"{DEN}/invites", {"role": "moderator"})
        ana = person(server, "ana", room="den", room_join=True)
        auth = {"type": "auth", "id": 1, "payload": {"token": ana.bearer}}
        response, waiting = await ana.ask("POST", f"{DEN}/signal", auth)
        idle = {"Parley_Session": response.headers["Parley-Session"]}
        response, joined = await ana.ask("POST", f"{DEN}/join", {})
        seated = {"Parley_Session": response.headers["Parley-Session"]}
        assert await operator.status("POST", ACT, {"action": action, "identity": "ana"}) == 200

        nobody = Caller(server, None)
        for session in (idle, seated):
            ended = (401, "unauthenticated")
            assert await nobody.code("POST", f"{DEN}/signal", {"type": "ping"}, **session) == ended
            assert await nobody.code("GET", f"{DEN}/events", **session) == ended
        for known in (waiting["payload"], joined):
            kept = {"session": known["session"], "secret": known["secret"], "seq_ack": 0}
            _, lost = await nobody.ask("POST", f"{DEN}/signal", {"type": "resume", "payload": kept})
            assert lost["type"] == "resume-lost"

        refused = (status, code)
        assert await nobody.code("POST", f"{DEN}/signal", auth) == refused
        for method, path, body in (
            ("POST", f"{DEN}/join", {}),
            ("GET", f"{DEN}/participants", None),
            ("GET", DEN, None),
            ("POST", "/api/v1/invites/accept", {"token": invite["token"]}),
        ):
            assert await ana.code(method, path, body) == refused, path
        for way, direction in (("whip", "sendonly"), ("whep", "recvonly")):
            headers = {**ana.headers, "Content-Type": "application/sdp"}
            offer = one_line(direction=direction)
            response, problem = await server.ask(f"{DEN}/{way}", "POST", data=offer, headers=headers)
            assert (response.status, json.loads(problem)["code"]) == refused
        options = {"protocols": ("parley.v1", f"parley.token.{ana.bearer}")}
        async with server.session.ws_connect(f"http://{server.host}/ws", **options) as ws:
            assert (await ws.receive_json(timeout=PATIENCE))["payload"]["code"] == code
            assert (await ws.receive(timeout=PATIENCE)).data == {"kick": 4405, "ban": 4406}[action]
        assert server.app[GATEWAY].conversation.rooms.population == 0
