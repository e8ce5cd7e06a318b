from datetime import UTC, datetime, timedelta

from sfu.probe import Reading
from signaling.http.app_keys import DATABASE, GATEWAY
from signaling.storage import calls, media_sessions
from signaling.storage.calls import Call, Presence
from signaling.storage.media_sessions import MediaSession
from tests.signaling.http.callers import enter, person, service
from tests.signaling.serving import served

DEN = "/api/v1/rooms/den"
START = datetime(2026, 1, 1, tzinfo=UTC)


async def remember(server, room="den", call="c1"):
    """A call of two people that is over."""
    async with server.app[DATABASE].transaction() as connection:
        await calls.start(connection, Call(id=call, room_id=room, node="n", started_at=START))
        for number, identity in enumerate(("ana", "ben")):
            stay = Presence(
                id=f"{call}{number}",
                call_id=call,
                room_id=room,
                node="n",
                identity=identity,
                name=identity.title(),
                role="member",
                joined_at=START + timedelta(minutes=number),
                address="192.0.2.1",
            )
            await calls.join(connection, stay)
        await calls.end(connection, call, "empty", START + timedelta(hours=1))


async def test_who_is_in_comes_from_the_room_itself(tmp_path):
    async with served(tmp_path) as server:
        member = person(server, "ben", room="den")
        assert (await member.ask("GET", f"{DEN}/participants"))[1] == {"items": [], "next_cursor": None}
        enter(server, "ana")
        enter(server, "spy", hidden=True)
        _, page = await member.ask("GET", f"{DEN}/participants")
        (ana,) = page["items"]
        assert (ana["identity"], ana["state"], ana["mute"]) == ("ana", "joined", False)
        assert await member.status("GET", f"{DEN}/participants?limit=0") == 400
        assert await member.status("GET", f"{DEN}/participants?cursor=x") == 400


async def test_who_speaks_and_what_each_sends_is_read_from_the_media_server(tmp_path):
    async with served(tmp_path) as server:
        moderator = person(server, "mia", room="den", room_admin=True)
        assert (await moderator.ask("GET", f"{DEN}/live"))[1] == {"participants": []}
        people = server.app[GATEWAY].conversation.rooms
        for name, more in (("ana", {}), ("ben", {"can_publish": False}), ("spy", {"hidden": True})):
            enter(server, name, **more)
        ids = {one.identity: one.id for one in people.find("den")}
        server.media.readings = [
            Reading(ids["spy"], False, 0.0, 0.0),
            Reading(ids["ben"], False, 0.0, 49.96),
            Reading(ids["ana"], True, 0.123456, 50.0),
            Reading("gone", True, 1.0, 50.0),
        ]
        _, view = await moderator.ask("GET", f"{DEN}/live")
        ana = {"id": ids["ana"], "identity": "ana", "name": "ana", "muted": False}
        ben = {"id": ids["ben"], "identity": "ben", "name": "ben", "muted": True}
        assert view == {
            "participants": [
                ana | {"speaking": True, "level": 0.1235, "packets_per_second": 50.0},
                ben | {"speaking": False, "level": 0.0, "packets_per_second": 50.0},
            ]
        }
        dashboard = await service(server, "room.watch")
        assert (await dashboard.ask("GET", f"{DEN}/live"))[1] == view
        assert await person(server, room="den").status("GET", f"{DEN}/live") == 403
        assert await (await service(server, "room.read")).status("GET", f"{DEN}/live") == 403


async def test_who_was_in_with_filters_and_addresses_for_owners(tmp_path):
    async with served(tmp_path) as server:
        await remember(server)
        await remember(server, "other", "c2")
        moderator, owner = person(server, room="den", room_admin=True), person(server, role="owner", room="den")
        past = f"{DEN}/participants/history"
        _, page = await moderator.ask("GET", past)
        found = [(one["identity"], one["left_at"], one["leave_reason"], one["address"]) for one in page["items"]]
        assert found == [(who, "2026-01-01T01:00:00Z", "server_shutdown", None) for who in ("ben", "ana")]
        assert {one["address"] for one in (await owner.ask("GET", past))[1]["items"]} == {"192.0.2.1"}
        for query, expected in (
            ("identity=ana", ["ana"]),
            ("call=c1&limit=1", ["ben"]),
            ("call=c2", []),
            ("since=2026-01-01T00:01:00Z", ["ben"]),
            ("until=2026-01-01T00:01:00Z", ["ana"]),
        ):
            _, page = await owner.ask("GET", f"{past}?{query}")
            assert [one["identity"] for one in page["items"]] == expected, query
        assert await person(server, room="den").status("GET", past) == 403
        assert await owner.status("GET", f"{past}?since=now") == 400


async def test_the_calls_of_a_room_and_one_of_them(tmp_path):
    async with served(tmp_path) as server:
        await remember(server)
        moderator = person(server, room="den", room_admin=True)
        _, page = await moderator.ask("GET", f"{DEN}/calls")
        (call,) = page["items"]
        assert (call["id"], call["state"], call["end_reason"]) == ("c1", "ended", "empty")
        assert (await moderator.ask("GET", "/api/v1/calls/c1"))[1] == call
        assert await person(server, room="den").status("GET", f"{DEN}/calls") == 403


async def test_a_call_is_shown_to_who_may_see_the_history_of_its_room(tmp_path):
    async with served(tmp_path) as server:
        await remember(server)
        for who, known, unknown in (
            (person(server, room="den"), 403, 403),
            (person(server, room="other", role="owner"), 403, 403),
            (await service(server, "participant.history"), 200, 403),
            (await service(server, "participant.*", rooms={"other"}), 403, 403),
            (await service(server, "participant.*", "room.list"), 200, 404),
            (person(server, role="operator"), 200, 404),
        ):
            assert await who.status("GET", "/api/v1/calls/c1") == known
            assert await who.status("GET", "/api/v1/calls/none") == unknown
        ben = person(server, "ben", room_create=True)
        await ben.ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        assert await ben.status("GET", "/api/v1/calls/c1") == 200


async def test_the_peer_connections_of_a_stay(tmp_path):
    async with served(tmp_path) as server:
        await remember(server)
        await remember(server, "other", "c2")
        kept = [
            MediaSession(id=f"m{number}", participant_id=who, created_at=START, user_agent="Browser/1.0")
            for number, who in enumerate(("c10", "c11", "c20"))
        ]
        async with server.app[DATABASE].transaction() as connection:
            for session in kept:
                await media_sessions.begin(connection, session)
            await media_sessions.connected(connection, "m0", START, "udp", "srflx")
            await media_sessions.end(connection, "m0", START, "left", (10, 20))
        moderator, owner = person(server, room="den", room_admin=True), person(server, role="owner", room="den")
        of_ana = f"{DEN}/participants/c10/media-sessions"
        _, page = await moderator.ask("GET", of_ana)
        (ana,) = page["items"]
        assert page["next_cursor"] is None
        assert (ana["id"], ana["state"], ana["transport"], ana["candidate_type"]) == ("m0", "closed", "udp", "srflx")
        assert (ana["end_reason"], ana["bytes_sent"], ana["bytes_received"]) == ("left", 10, 20)
        assert ana["user_agent"] is None
        assert (await owner.ask("GET", of_ana))[1]["items"][0]["user_agent"] == "Browser/1.0"
        assert await person(server, room="den").status("GET", of_ana) == 403
        for stranger in ("c20", "nobody"):
            assert await owner.status("GET", f"{DEN}/participants/{stranger}/media-sessions") == 404
