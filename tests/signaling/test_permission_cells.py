"""The table of permissions, cell by cell, as it holds at the server: over REST and over the WebSocket.

The rows are made from `permissions.ACTIONS`. Each action has a request or a message here, or stands in NOT_YET; a new
one without either fails. What is expected of a cell is `may`, which `identity/test_permissions.py` holds to what is
written by hand; so what is shown here is that every door asks it, for the right action, room and target.
"""

import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from signaling.api.openapi import all_routes
from signaling.call.rooms import RoomPolicy
from signaling.clock import SYSTEM_CHANCE
from signaling.http.app_keys import CLOCK, GATEWAY, SPOOL, TOKENS
from signaling.identity.deny_list import Ban
from signaling.identity.grants import Grants, Role
from signaling.identity.permissions import ACTIONS, Service, may
from signaling.ids import uuid7
from tests.signaling.fakes import pid
from tests.signaling.http.callers import Caller, Line, enter, person, service
from tests.signaling.serving import Served, served

ROLES: tuple[Role, ...] = ("member", "moderator", "owner", "operator")
DEN = "/api/v1/rooms/den"
OPERATOR = "the operator that prepares"

NOT_YET = {
    "recording.start", "recording.stop", "recording.list", "recording.read", "recording.render", "recording.delete",
}  # fmt: skip
"""Actions that nothing does so far."""

ON_SOMEBODY = {name: row for name, row in ACTIONS.items() if row.to_somebody}
MODERATION = {name for name in ON_SOMEBODY if name.startswith("participant.")}

Ask = Callable[[Served, Caller], Awaitable[int]]


def simple(method: str, path: str, body: object = None, **headers: str) -> Ask:
    async def ask(_server: Served, who: Caller) -> int:
        return await who.status(method, path, body, **headers)

    return ask


async def delete_room(server: Served, who: Caller) -> int:
    try:
        return await who.status("DELETE", DEN)
    finally:
        await person(server, OPERATOR, "operator").ask("POST", "/api/v1/rooms", ROOM)


async def unban(server: Served, who: Caller) -> int:
    await ban(server, "den")
    return await who.status("POST", f"{DEN}/moderation", {"action": "unban", "identity": "banned"})


async def lift_server_ban(server: Served, who: Caller) -> int:
    return await who.status("DELETE", f"/api/v1/bans/{await ban(server, None)}")


async def revoke_key(server: Served, who: Caller) -> int:
    order = {"name": "spare", "scopes": ["*"]}
    _, made = await person(server, OPERATOR, "operator").ask("POST", "/api/v1/api-keys", order)
    return await who.status("DELETE", f"/api/v1/api-keys/{made['id']}")


async def revoke_invite(server: Served, who: Caller) -> int:
    _, made = await person(server, OPERATOR, "operator").ask("POST", f"{DEN}/invites", {})
    return await who.status("DELETE", f"{DEN}/invites/{made['id']}")


def on_webhook(method: str, below: str = "", body: object = None, **headers: str) -> Ask:
    async def ask(server: Served, who: Caller) -> int:
        operator = person(server, OPERATOR, "operator")
        _, made = await operator.ask("POST", "/api/v1/webhooks", {"url": "http://127.0.0.1:9/"})
        try:
            return await who.status(method, f"/api/v1/webhooks/{made['id']}{below}", body, **headers)
        finally:
            await operator.ask("DELETE", f"/api/v1/webhooks/{made['id']}")

    return ask


REST: dict[str, Ask] = {
    "room.create": simple("POST", "/api/v1/rooms", {"name": "New"}),
    "room.list": simple("GET", "/api/v1/rooms"),
    "room.read": simple("GET", DEN),
    "room.watch": simple("GET", f"{DEN}/live"),
    "room.update": simple("PATCH", DEN, {"description": "x"}, If_Match="*"),
    "room.delete": delete_room,
    "message.read": simple("GET", f"{DEN}/messages"),
    "participant.list": simple("GET", f"{DEN}/participants"),
    "participant.history": simple("GET", f"{DEN}/participants/history"),
    "participant.unban": unban,
    "ban.list": simple("GET", f"{DEN}/bans"),
    "server_ban.list": simple("GET", "/api/v1/bans"),
    "server_ban.lift": lift_server_ban,
    "server_audit.read": simple("GET", "/api/v1/audit"),
    "invite.create": simple("POST", f"{DEN}/invites", {}),
    "invite.list": simple("GET", f"{DEN}/invites"),
    "invite.revoke": revoke_invite,
    "audit.read": simple("GET", f"{DEN}/audit"),
    "token.issue": simple("POST", "/api/v1/tokens", {"identity": "eve", "room": "den"}),
    "event.read": simple("GET", "/api/v1/events"),
    "webhook.list": simple("GET", "/api/v1/webhooks"),
    "webhook.create": simple("POST", "/api/v1/webhooks", {"url": "http://127.0.0.1:9/"}),
    "webhook.update": on_webhook("PATCH", "", {"description": "x"}, If_Match="*"),
    "webhook.delete": on_webhook("DELETE"),
    "webhook.test": on_webhook("POST", "/test"),
    "apikey.list": simple("GET", "/api/v1/api-keys"),
    "apikey.create": simple("POST", "/api/v1/api-keys", {"name": "game", "scopes": ["*"]}),
    "apikey.revoke": revoke_key,
}
"""One request for each action that is done to nobody in particular."""

ROUTES = {
    "room.create": "POST /api/v1/rooms",
    "room.list": "GET /api/v1/rooms",
    "room.read": "GET /api/v1/rooms/{id}",
    "room.watch": "GET /api/v1/rooms/{id}/live",
    "room.update": "PATCH /api/v1/rooms/{id}",
    "room.delete": "DELETE /api/v1/rooms/{id}",
    "message.read": "GET /api/v1/rooms/{id}/messages",
    "participant.list": "GET /api/v1/rooms/{id}/participants",
    "participant.history": "GET /api/v1/rooms/{id}/participants/history",
    "participant.unban": "POST /api/v1/rooms/{id}/moderation",
    "ban.list": "GET /api/v1/rooms/{id}/bans",
    "server_ban.list": "GET /api/v1/bans",
    "server_ban.lift": "DELETE /api/v1/bans/{ban}",
    "server_audit.read": "GET /api/v1/audit",
    "invite.create": "POST /api/v1/rooms/{id}/invites",
    "invite.list": "GET /api/v1/rooms/{id}/invites",
    "invite.revoke": "DELETE /api/v1/rooms/{id}/invites/{invite}",
    "audit.read": "GET /api/v1/rooms/{id}/audit",
    "token.issue": "POST /api/v1/tokens",
    "event.read": "GET /api/v1/events",
    "webhook.list": "GET /api/v1/webhooks",
    "webhook.create": "POST /api/v1/webhooks",
    "webhook.update": "PATCH /api/v1/webhooks/{id}",
    "webhook.delete": "DELETE /api/v1/webhooks/{id}",
    "webhook.test": "POST /api/v1/webhooks/{id}/test",
    "apikey.list": "GET /api/v1/api-keys",
    "apikey.create": "POST /api/v1/api-keys",
    "apikey.revoke": "DELETE /api/v1/api-keys/{id}",
}
"""The routes of these requests."""

MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "room.read": ("participants", {}),
    "participant.list": ("participants", {}),
    "message.send": ("message", {"topic": "chat", "body": "hello"}),
    "signal.send": ("signal", {"to": "WHOEVER"}),
    "participant.unban": ("moderate", {"action": "unban", "target": "banned"}),
}
"""One message for each action that is done to nobody in particular."""

IN_MEDIA = {"audio.publish", "audio.subscribe"}
"""What no request does: the media path enforces it from the join on."""

OPEN = {
    "/live", "/ready", "/health", "/health/batch", "/health/ws", "/metrics", "/openapi.json", "/api/v1/config",
    "/dev/token",
}  # fmt: skip
"""Routes for everybody."""

OTHER_ROUTES = {
    "POST /api/v1/invites/preview": "by the invite that is shown",
    "POST /api/v1/invites/accept": "by the invite that is shown",
    "POST /api/v1/invites/reject": "by the invite that is shown",
    "POST /api/v1/rooms/{id}/bans": "participant.ban",
    "DELETE /api/v1/rooms/{id}/bans/{ban}": "participant.unban",
    "POST /api/v1/bans": "server_ban.create",
    "GET /api/v1/rooms/{id}/calls": "participant.history",
    "GET /api/v1/rooms/{id}/participants/{participant}/media-sessions": "participant.history",
    "GET /api/v1/calls/{id}": "participant.history",
    "POST /auth/token": "token.issue",
    "GET /api/v1/webhooks/{id}": "webhook.list",
    "POST /api/v1/webhooks/{id}/secrets": "webhook.update",
    "DELETE /api/v1/webhooks/{id}/secrets": "webhook.update",
    "POST /api/v1/webhooks/{id}/replay": "webhook.test",
    "POST /api/v1/rooms/{id}/join": "by the message that it carries",
    "POST /api/v1/rooms/{id}/signal": "by the message that it carries",
    "POST /api/v1/rooms/{id}/leave": "by the message that it carries",
    "GET /api/v1/rooms/{id}/events": "by the session",
    **{
        f"{method} /api/v1/rooms/{{id}}/{way}{below}": "as `join`, then by the token that opened it"
        for way in ("whip", "whep")
        for below, methods in (
            ("", ("POST", "GET", "HEAD", "OPTIONS")),
            ("/{resource}", ("PATCH", "DELETE", "GET", "HEAD", "OPTIONS")),
        )
        for method in methods
    },
}
"""Routes that are not in REST, and what they ask for."""


def ban_somebody(path: str) -> Ask:
    """Somebody else each time: nobody changes the ban that somebody of a higher role has imposed."""
    numbers = itertools.count()

    async def ask(_server: Served, who: Caller) -> int:
        return await who.status("POST", path, {"identity": f"away-{next(numbers)}"})

    return ask


async def lift_ban(server: Served, who: Caller) -> int:
    return await who.status("DELETE", f"{DEN}/bans/{await ban(server, 'den')}")


async def see_call(server: Served, who: Caller) -> int:
    await server.app[SPOOL].flush()
    _, page = await person(server, OPERATOR, "operator").ask("GET", f"{DEN}/calls")
    return await who.status("GET", f"/api/v1/calls/{page['items'][0]['id']}")


async def see_media_sessions(server: Served, who: Caller) -> int:
    await server.app[SPOOL].flush()
    _, page = await person(server, OPERATOR, "operator").ask("GET", f"{DEN}/participants/history")
    return await who.status("GET", f"{DEN}/participants/{page['items'][0]['id']}/media-sessions")


OTHER_DOORS: dict[str, Ask] = {
    "POST /api/v1/rooms/{id}/bans": ban_somebody(f"{DEN}/bans"),
    "DELETE /api/v1/rooms/{id}/bans/{ban}": lift_ban,
    "POST /api/v1/bans": ban_somebody("/api/v1/bans"),
    "GET /api/v1/rooms/{id}/calls": simple("GET", f"{DEN}/calls"),
    "GET /api/v1/calls/{id}": see_call,
    "GET /api/v1/rooms/{id}/participants/{participant}/media-sessions": see_media_sessions,
    "GET /api/v1/webhooks/{id}": on_webhook("GET"),
    "POST /api/v1/webhooks/{id}/secrets": on_webhook("POST", "/secrets", {}),
    "DELETE /api/v1/webhooks/{id}/secrets": on_webhook("DELETE", "/secrets"),
    "POST /api/v1/webhooks/{id}/replay": on_webhook("POST", "/replay?after=0"),
}
"""One request for each of these that an action opens. What `/auth/token` wants is a key, in whatever role: see
`api/test_tokens.py`.
"""

ROOM = {"name": "Den", "id": "den", "guild_id": "g", "owner": None}


async def ban(server: Served, room: str | None) -> str:
    """A ban of `banned` by a moderator, written."""
    house = server.app[GATEWAY].conversation
    ban_id = uuid7(datetime.now(UTC), SYSTEM_CHANCE)
    house.records.deny_list.ban(Ban("banned", room, datetime.now(UTC), "moderator", by="mod", id=ban_id))
    await server.app[SPOOL].flush()
    return ban_id


async def prepare(server: Served) -> None:
    """A room that is kept, with somebody in it, and another one of the same guild."""
    operator = person(server, OPERATOR, "operator")
    assert await operator.status("POST", "/api/v1/rooms", ROOM) == 201
    assert await operator.status("POST", "/api/v1/rooms", {**ROOM, "name": "Attic", "id": "attic"}) == 201
    enter(server, "somebody")
    live = server.app[GATEWAY].conversation.rooms.find("den")
    assert live is not None
    live.policy = RoomPolicy(version=1, guild_id="g")


def others(action: str) -> set[str]:
    """Scopes for everything but this action."""
    return {name for name, row in ACTIONS.items() if row.services and name != action}


async def callers(server: Served, action: str) -> list[tuple[str, Caller, Any]]:
    """(name, caller, what `may` is asked of): each role in the room, a service with the scope and ones without."""
    found: list[tuple[str, Caller, Any]] = [
        (role, person(server, f"the {role}", role, room="den", room_join=True), role) for role in ROLES
    ]
    scopes = {action} if ACTIONS[action].services else {"*"}
    for name, granted in (("service", scopes), ("service without", others(action))):
        found.append((name, await service(server, *granted), Service(frozenset(granted))))
    return found


def verdict(status: int, *, where: object) -> bool:
    """Whether a request was let through. Nothing but a permission may be in its way."""
    assert status in (200, 201, 202, 204, 403), (where, status)
    return status != 403


# -- that nothing is missing -----------------------------------------------------------------------------------------


def test_each_action_has_a_request_a_message_or_stands_in_not_yet() -> None:
    done = REST.keys() | MESSAGES.keys() | IN_MEDIA | ON_SOMEBODY.keys()
    assert done | NOT_YET == ACTIONS.keys()
    assert not done & NOT_YET


def test_each_route_is_of_an_action_or_open_to_everybody() -> None:
    routes = {f"{row.method} {row.path}" for row in all_routes()}
    named = {route for route in routes if route.partition(" ")[2] in OPEN} | OTHER_ROUTES.keys()
    assert REST.keys() == ROUTES.keys()
    assert routes == named | set(ROUTES.values())


def test_each_other_route_of_an_action_has_a_request() -> None:
    of_actions = {route for route, action in OTHER_ROUTES.items() if action in ACTIONS}
    assert of_actions - {"POST /auth/token"} == OTHER_DOORS.keys()


# -- over REST -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", REST)
async def test_over_rest(tmp_path: Any, action: str) -> None:
    async with served(tmp_path, webhook_allow_private=True) as server:
        await prepare(server)
        for name, caller, holder in await callers(server, action):
            found = verdict(await REST[action](server, caller), where=(action, name))
            assert found is may(holder, action), (action, name)


@pytest.mark.parametrize("route", OTHER_DOORS)
async def test_over_rest_every_other_door_asks_the_same_table(tmp_path: Any, route: str) -> None:
    action = OTHER_ROUTES[route]
    async with served(tmp_path, webhook_allow_private=True) as server:
        await prepare(server)
        for name, caller, holder in await callers(server, action):
            found = verdict(await OTHER_DOORS[route](server, caller), where=(route, name))
            expected = may(holder, action, "member") if ACTIONS[action].to_somebody else may(holder, action)
            assert found is expected, (route, name)


@pytest.mark.parametrize("action", REST)
async def test_over_rest_a_role_and_a_key_of_another_room_count_for_nothing(tmp_path: Any, action: str) -> None:
    if ACTIONS[action].place == "server":
        return
    async with served(tmp_path) as server:
        await prepare(server)
        elsewhere = [person(server, "x", role, room="attic", room_join=True) for role in ROLES[:3]]
        for caller in (*elsewhere, await service(server, "*", rooms={"attic"})):
            assert not verdict(await REST[action](server, caller), where=action)
        assert await REST[action](server, Caller(server, None)) == 401


@pytest.mark.parametrize("action", ON_SOMEBODY)
async def test_over_rest_on_somebody(tmp_path: Any, action: str) -> None:
    async with served(tmp_path) as server:
        await prepare(server)
        for name, caller, holder in await callers(server, action):
            for target in ROLES:
                identity = f"{name.replace(' ', '-')}-on-{target}"
                enter(server, identity, role=target)
                status = await act(caller, action, identity)
                expected = may(holder, action, target)
                assert verdict(status, where=(action, name, target)) is expected, (action, name, target)


async def act(caller: Caller, action: str, identity: str) -> int:
    family, _, verb = action.partition(".")
    if family == "server_ban":
        return await caller.status("POST", "/api/v1/bans", {"identity": identity})
    order = {"action": verb, "identity": identity} | ({"room": "attic"} if verb == "move" else {})
    return await caller.status("POST", f"{DEN}/moderation", order)


# -- over the WebSocket ----------------------------------------------------------------------------------------------


async def say(server: Served, line: Line, kind: str, payload: dict[str, Any]) -> bool:
    """Whether the message was let through, with what has to be looked up for it."""
    line.take()
    text, gateway, now = (
        json.dumps({"type": kind, "id": 1, "payload": payload}),
        server.app[GATEWAY],
        server.app[CLOCK].now(),
    )
    request = gateway.conversation.read(line, text, now)
    assert request is not None
    assert line.session is not None
    gateway.conversation.act(line, await gateway.prepare(line.session, request), now)
    answer = next(frame for frame in line.take() if frame.get("id") == 1)
    if answer["type"] != "error":
        return True
    assert answer["payload"]["code"] == "forbidden", answer
    return False


@pytest.mark.parametrize(("action", "role"), list(itertools.product(MESSAGES, ROLES)))
async def test_over_the_websocket(tmp_path: Any, action: str, role: Role) -> None:
    async with served(tmp_path) as server:
        await prepare(server)
        await ban(server, "den")
        other = enter(server, "other")
        kind, payload = MESSAGES[action]
        asked = {name: pid(other) if value == "WHOEVER" else value for name, value in payload.items()}
        line = enter(server, f"the {role}", role=role)
        assert await say(server, line, kind, asked) is may(role, action)


@pytest.mark.parametrize(("action", "role"), list(itertools.product(sorted(MODERATION), ROLES)))
async def test_over_the_websocket_on_somebody(tmp_path: Any, action: str, role: Role) -> None:
    async with served(tmp_path) as server:
        await prepare(server)
        line = enter(server, f"the {role}", role=role)
        for target in ROLES:
            other = enter(server, f"other {target}", role=target)
            verb = action.partition(".")[2]
            order = {"action": verb, "target": pid(other)} | ({"room": "attic"} if verb == "move" else {})
            assert await say(server, line, "moderate", order) is may(role, action, target), (action, role, target)


@pytest.mark.parametrize("role", ROLES)
async def test_who_may_be_heard_and_hear_is_so_from_the_join_on(tmp_path: Any, role: Role) -> None:
    async with served(tmp_path) as server:
        for grants in ({}, {"can_publish": False}, {"can_subscribe": False}):
            line = enter(server, f"the {role} {sorted(grants)}", role=role, **grants)
            someone = server.app[GATEWAY].conversation.rooms.participant(pid(line))
            assert someone is not None
            given = Grants(room="den", room_join=True, **grants)
            token = server.app[TOKENS].issue("x", grants=given, utc=datetime.now(UTC), role=role)
            holder = server.app[TOKENS].verify(token, datetime.now(UTC))
            assert someone.media_flags.suppressed is not may(holder, "audio.publish", room="den")
            assert someone.media_flags.deaf is not may(holder, "audio.subscribe", room="den")


async def test_a_service_has_no_place_on_the_websocket(tmp_path: Any) -> None:
    async with served(tmp_path) as server:
        key, line = await service(server, "*"), Line()
        house = server.app[GATEWAY].conversation
        house.open(line, server.app[CLOCK].now(), key.bearer)
        assert (line.frames[-1]["payload"]["code"], line.closed) == ("token_invalid", "token_invalid")
        assert await key.status("POST", f"{DEN}/join") == 403
