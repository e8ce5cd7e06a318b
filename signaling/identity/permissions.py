"""Permissions: one table of actions, and the only place where grants and scopes become permissions. Pure.

A person has a role: member, moderator or owner in a room, operator for the whole server. Each role includes the one
before it. A service has an API key with scopes. `docs/permissions.md` is generated from the table.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from signaling.errors import OurMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, STANDING, Grants, Role, Standing

Place = Literal["room", "server"]


class Action(NamedTuple):
    """One row: the least role, whether it is open to services, and whether it has a target participant.

    `place` is `room` for an action in one room, where the role of an owner or moderator counts, and `server` for an
    action on all rooms.
    """

    least: Role
    meaning: str
    place: Place = "room"
    services: bool = True
    to_somebody: bool = False


ACTIONS: Mapping[str, Action] = {
    "room.create": Action("operator", "Create a room.", "server"),
    "room.list": Action("operator", "List all rooms.", "server"),
    "room.read": Action("member", "Read a room and its settings."),
    "room.watch": Action(
        "moderator", "Watch a room live: who speaks, at which level, and what each participant sends."
    ),
    "room.update": Action("owner", "Change a room and its settings."),
    "room.delete": Action("owner", "Delete a room."),
    "audio.publish": Action("member", "Send audio.", services=False),
    "audio.subscribe": Action("member", "Receive audio.", services=False),
    "message.send": Action("member", "Send a message to the room or to one participant."),
    "message.read": Action("member", "Read the stored messages of the room."),
    "signal.send": Action("member", "Send a signal to one participant.", services=False),
    "participant.list": Action("member", "List the participants in the room."),
    "participant.history": Action("moderator", "Read the history of participants."),
    "participant.mute": Action("moderator", "Mute a participant.", to_somebody=True),
    "participant.unmute": Action("moderator", "Lift a moderator's mute.", to_somebody=True),
    "participant.deafen": Action("moderator", "Deafen a participant: stop their incoming audio.", to_somebody=True),
    "participant.undeafen": Action("moderator", "Lift a moderator's deafen.", to_somebody=True),
    "participant.give_floor": Action("moderator", "Let a participant speak in a moderated room.", to_somebody=True),
    "participant.take_floor": Action("moderator", "Take the floor back.", to_somebody=True),
    "participant.kick": Action("moderator", "Remove a participant from the room.", to_somebody=True),
    "participant.ban": Action(
        "moderator", "Remove a participant and ban the identity from the room.", to_somebody=True
    ),
    "participant.unban": Action("moderator", "Lift a ban, unless a higher role imposed it."),
    "participant.move": Action("moderator", "Move a participant to another room.", to_somebody=True),
    "ban.list": Action("moderator", "List the bans from the room."),
    "server_ban.list": Action("operator", "List the bans from the whole server.", "server"),
    "server_ban.create": Action("operator", "Ban an identity from the whole server.", "server", to_somebody=True),
    "server_ban.lift": Action("operator", "Lift a ban from the whole server.", "server"),
    "server_audit.read": Action("operator", "Read the audit trail of all rooms and the server.", "server"),
    "invite.create": Action("moderator", "Create an invite."),
    "invite.list": Action("moderator", "List the invites of the room."),
    "invite.revoke": Action("moderator", "Revoke an invite."),
    "recording.start": Action("moderator", "Start a recording."),
    "recording.stop": Action("moderator", "Stop a recording."),
    "recording.list": Action("moderator", "List the recordings of the room."),
    "recording.read": Action("moderator", "Download a recording."),
    "recording.render": Action("owner", "Render a recording again."),
    "recording.delete": Action("owner", "Delete a recording."),
    "audit.read": Action("owner", "Read the audit trail of the room."),
    "token.issue": Action("operator", "Issue tokens.", "server"),
    "event.read": Action("operator", "Read the events of the server.", "server"),
    "webhook.list": Action("operator", "List the webhooks.", "server"),
    "webhook.create": Action("operator", "Add a webhook.", "server"),
    "webhook.update": Action("operator", "Change a webhook.", "server"),
    "webhook.delete": Action("operator", "Remove a webhook.", "server"),
    "webhook.test": Action("operator", "Send a test event to a webhook, or resend events.", "server"),
    "apikey.list": Action("operator", "List the API keys.", "server", services=False),
    "apikey.create": Action("operator", "Create an API key.", "server", services=False),
    "apikey.revoke": Action("operator", "Revoke an API key.", "server", services=False),
}
"""Every action. An action that is not listed is never allowed."""

GIVEN: Mapping[str, tuple[str, ...]] = {
    "room_create": ("room.create",),
    "room_list": ("room.list",),
    "room_record": ("recording.start", "recording.stop", "recording.list", "recording.read"),
}
"""Actions that a true grant adds to the role. `roomAdmin` makes a moderator: see `role_of`."""

WITHHELD: Mapping[str, tuple[str, ...]] = {
    "can_publish": ("audio.publish",),
    "can_subscribe": ("audio.subscribe",),
    "can_publish_data": ("message.send", "signal.send"),
}
"""Actions that a false grant removes from every role."""

HIDDEN = ("audio.publish", "message.send", "signal.send")
"""Actions that `hidden` removes: an invisible participant cannot be heard or read."""

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Service:
    """A service with an API key. A scope is an action, a family like `room.*`, or `*`; `rooms`, if any, restricts it.

    `prefix` is the public part of its key, which names it in the audit trail.
    """

    scopes: frozenset[str]
    rooms: frozenset[str] | None = None
    prefix: str = ""


Holder = Claims | Service
"""The holder of permissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The actor of a request, with what the audit trail records of it.

    `participant_id` is set for an actor in a room. Others do not learn the name of a `hidden` one.
    """

    holder: Holder
    address: str
    participant_id: str | None = None
    hidden: bool = False

    @property
    def identity(self) -> str:
        """A person's identity, or `apikey:` and the public prefix of a service's key."""
        return self.holder.identity if isinstance(self.holder, Claims) else f"apikey:{self.holder.prefix}"

    @property
    def role(self) -> Standing:
        """The role of a token, or `service`."""
        return self.holder.role if isinstance(self.holder, Claims) else "service"

    @property
    def counted_by(self) -> str:
        """The key of rate limits. A person and a service never share one."""
        return f"{'person' if isinstance(self.holder, Claims) else 'service'} {self.identity}"


def may(
    holder: "Role | Claims | Service", action: str, target_role: Role | None = None, *, room: str | None = None
) -> bool:
    """Whether `holder` may do `action`, to a participant of `target_role` if the action has a target.

    The target's role must be lower than the actor's, so self-moderation is refused too. Only operators may act on each
    other. A token's role and grants apply in the room that the token names: pass `room` wherever there is one. Raises
    OurMistake for an unknown action.
    """
    row = ACTIONS.get(action)
    if row is None:
        raise OurMistake(f"there is no action {action}")
    if isinstance(holder, Service):
        return _service_may(holder, row, action, target_role, room)
    if isinstance(holder, str):
        return RANK[holder] >= RANK[row.least] and _above(holder, target_role)
    if action in _withheld(holder.grants):
        return False
    if row.place == "room" and holder.role != "operator" and room is not None and holder.grants.room != room:
        return False
    given = RANK[holder.role] >= RANK[row.least] or action in _given(holder.grants)
    return given and _above(holder.role, target_role)


def may_undo(role: Standing, by_role: Standing) -> bool:
    """Whether `role` may undo an action by `by_role`. A lower role never undoes the action of a higher one."""
    return STANDING[role] >= STANDING[by_role]


def known_scope(scope: str) -> bool:
    """Whether a scope is valid: an action open to services, a family that contains one, or `*`."""
    return any(row.services and _covers(scope, action) for action, row in ACTIONS.items())


def reference() -> str:
    """The tables of docs/permissions.md."""
    return "\n".join([*_role_table(), "", *_target_table(), "", *_grant_table()])


def _service_may(service: Service, row: Action, action: str, target_role: Role | None, room: str | None) -> bool:
    """A service ranks above owners and below operators. One restricted to rooms may not act outside them."""
    if service.rooms is not None and (room is None or room not in service.rooms):
        return False
    scoped = row.services and any(_covers(scope, action) for scope in service.scopes)
    return scoped and target_role != "operator"


def _covers(scope: str, action: str) -> bool:
    family, dot, _ = action.partition(".")
    return scope in (EVERYTHING, action, f"{family}{dot}*")


def _above(role: Role, target_role: Role | None) -> bool:
    return target_role is None or RANK[role] > RANK[target_role] or role == "operator"


def _given(grants: Grants) -> Collection[str]:
    return _actions(GIVEN[name] for name in GIVEN if getattr(grants, name))


def _withheld(grants: Grants) -> Collection[str]:
    withheld = _actions(WITHHELD[name] for name in WITHHELD if not getattr(grants, name))
    return withheld | set(HIDDEN) if grants.hidden else withheld


def _actions(groups: Iterable[tuple[str, ...]]) -> set[str]:
    return {action for group in groups for action in group}


def _role_table() -> list[str]:
    lines = [
        "| action | " + " | ".join(RANK) + " | service | what it is |",
        "|---|" + "---|" * (len(RANK) + 2),
    ]
    for action, row in ACTIONS.items():
        cells = ["yes" if RANK[role] >= RANK[row.least] else "-" for role in RANK]
        cells.append("yes" if row.services else "-")
        lines.append(f"| `{action}` | {' | '.join(cells)} | {row.meaning} |")
    return lines


def _target_table() -> list[str]:
    lines = ["| on a | " + " | ".join(RANK) + " | service |", "|---|" + "---|" * (len(RANK) + 1)]
    for target in _roles():
        cells = ["yes" if RANK[role] >= 1 and _above(role, target) else "-" for role in _roles()]
        cells.append("-" if target == "operator" else "yes")
        lines.append(f"| {target} | {' | '.join(cells)} |")
    return lines


def _roles() -> tuple[Role, ...]:
    return ("member", "moderator", "owner", "operator")


def _grant_table() -> list[str]:
    def spelled(name: str) -> str:
        return f"`{Grants.model_fields[name].alias}`"

    def listed(actions: Iterable[str]) -> str:
        return ", ".join(f"`{action}`" for action in actions)

    return [
        "| grant | effect |",
        "|---|---|",
        f"| {spelled('room')}, {spelled('room_join')} | the one room that the token gives access to |",
        f"| {spelled('room_admin')} | raises the role to moderator |",
        *(f"| {spelled(name)} | gives {listed(actions)} |" for name, actions in GIVEN.items()),
        *(f"| {spelled(name)}: false | takes away {listed(actions)} |" for name, actions in WITHHELD.items()),
        f"| {spelled('hidden')} | not listed and not announced; takes away {listed(HIDDEN)} |",
    ]


def with_room_role(holder: Holder, room_id: str, role: Role) -> Holder:
    """Return the holder with at least `role` in the room, unless the token names another room."""
    if not isinstance(holder, Claims) or holder.grants.room not in (None, room_id) or RANK[holder.role] >= RANK[role]:
        return holder
    return replace(holder, role=role, grants=holder.grants.model_copy(update={"room": room_id}))


def in_room(asker: Asker, room_id: str, owner: str | None) -> Asker:
    """Return the asker with its role in a room. `owner` is None for a room without one.

    A token that names a room opens no other room, even one that its bearer owns. Ownership goes by identity and needs
    no role in the token.
    """
    if owner is None or not isinstance(asker.holder, Claims) or asker.holder.identity != owner:
        return asker
    return replace(asker, holder=with_room_role(asker.holder, room_id, "owner"))


def may_to_room(asker: Asker, action: str, room_id: str, owner: str | None) -> bool:
    """Whether the asker may do `action` to the room, by role, by scope, or as its owner."""
    return may(in_room(asker, room_id, owner).holder, action, room=room_id)


def may_name_owner(asker: Asker, owner: str | None) -> bool:
    """Whether the asker may set `owner`: people may name themselves, operators and services any identity."""
    if isinstance(asker.holder, Service) or asker.role == "operator":
        return True
    return owner == asker.identity


def owner_of_new(asker: Asker) -> str | None:
    """Return the default owner of a new room: the person who makes it, or None for a service."""
    return asker.identity if isinstance(asker.holder, Claims) else None
