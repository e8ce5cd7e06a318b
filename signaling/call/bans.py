"""Bans of an identity from one room or from the whole server, and their end. The identity need not be present. Pure."""

from signaling.call.acts import Act, check, notify, record
from signaling.call.leaving import expel, expel_denied
from signaling.call.rooms import Participant
from signaling.call.state import State
from signaling.errors import ClientMistake
from signaling.identity.deny_list import Ban
from signaling.identity.grants import RANK, Role
from signaling.identity.permissions import Asker, may_undo
from signaling.ids import uuid7


def ban_act(actor: Asker, room_id: str | None, seconds: int | None = None, reason: str | None = None) -> Act:
    """A ban from a room, or (None) from the server."""
    permission = "server_ban.create" if room_id is None else "participant.ban"
    return Act(actor=actor, permission=permission, action="ban", room_id=room_id, seconds=seconds, reason=reason)


def ban(state: State, act: Act, identity: str, now: float, known_role: Role = "member") -> Ban:
    """Ban an identity, and remove its participants after a notice. An earlier ban is replaced.

    `known_role` is the role of an absent identity, such as the owner of the room. Raises ClientMistake (`forbidden`),
    also where the actor may not lift the earlier ban, which would end with the new one.
    """
    people = _people(state, act.room_id, identity)
    roles: list[Role] = [known_role, *(person.role for person in people)]
    highest: Role = max(roles, key=lambda role: RANK[role])
    check(act, highest)
    utc = state.utc()
    _check_may_end(act, state.records.deny_list.find_ban(identity, act.room_id, utc))
    made = Ban(
        identity=identity,
        room=act.room_id,
        since=utc,
        by_role=act.actor.role,
        until=act.until(utc),
        reason=act.reason,
        by=act.actor.identity,
        id=uuid7(utc, state.random),
    )
    state.records.deny_list.ban(made)
    for person in people:
        notify(state, act, person.id)
        session = state.audience.session(person.id)
        assert session is not None
        assert session.claims is not None
        state.records.deny_list.withdraw(session.claims, utc)
        expel(state, session, "banned", now)
    expel_denied(state, now)
    record(state, act, identity)
    return made


def lift_act(actor: Asker, room_id: str | None, reason: str | None = None) -> Act:
    """The end of a ban from a room, or (None) from the server."""
    permission = "server_ban.lift" if room_id is None else "participant.unban"
    return Act(actor=actor, permission=permission, action="unban", room_id=room_id, reason=reason)


def lift(state: State, act: Act, identity: str) -> None:
    """Lift the ban of an identity. Revoked tokens stay revoked.

    Raises ClientMistake: `forbidden`, `no_such_participant` where the identity is not banned from this room.
    """
    check(act)
    found = state.records.deny_list.find_ban(identity, act.room_id, state.utc())
    if found is None:
        raise ClientMistake("no_such_participant", "this identity is not banned from this room")
    _check_may_end(act, found)
    state.records.deny_list.unban(identity, act.room_id, act.actor.identity)
    record(state, act, identity)


def _check_may_end(act: Act, ban: Ban | None) -> None:
    if ban is not None and not may_undo(act.actor.role, ban.by_role):
        raise ClientMistake("forbidden", "a higher role imposed this ban")


def _people(state: State, room_id: str | None, identity: str) -> list[Participant]:
    rooms = [room for room in state.rooms if room_id is None or room.id == room_id]
    return [person for room in rooms if (person := room.with_identity(identity)) is not None]
