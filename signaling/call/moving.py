"""Moves of a participant to another room of this node, with the same peer connection. Pure."""

from dataclasses import replace

from signaling.call.acts import Act, check, notify
from signaling.call.floor import adopt, review
from signaling.call.leaving import is_admitted, remember_mutes, return_mutes
from signaling.call.rooms import LiveRoom, Participant, RoomPolicy
from signaling.call.state import State
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import Role
from signaling.identity.permissions import may
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Session


def move(state: State, act: Act, target: Participant, room_id: str, policy: RoomPolicy | None, now: float) -> None:
    """Move `target` to another room; `policy` is None for a room that is not stored.

    A moved participant needs neither the room's password nor an invite. Moderators' mutes move along, and also stay set
    for a return to the former room. The server grants a member's role in the new room, unless the room gives a higher
    one or the participant's token was for it. Raises ClientMistake: `forbidden`, `banned`, `room_full`, `room_closed`,
    `duplicate_identity`; `not_found` for a room that must be created first.
    """
    check(act, target.role)
    former = state.rooms.find(target.room_id)
    session = state.audience.session(target.id)
    assert former is not None
    assert session is not None
    if room_id == former.id:
        raise ClientMistake("bad_message", "the participant is in that room already")
    _check_destination(state, act, former.policy, room_id, policy)
    rules = policy or state.default_policy
    claims = _claims_there(session, room_id)
    if not is_admitted(state, claims):
        raise ClientMistake("banned", "the identity is banned from that room")
    adopt(state, room_id, rules)
    if state.rooms.prospect(room_id, rules).check_place(target.identity) is not None:
        raise ClientMistake("duplicate_identity", "the identity is in that room with another session")
    notify(state, act, target.id)
    _leave(state, former, target)
    remember_mutes(state, target)
    room = state.rooms.transfer(target, room_id, rules, state.utc())
    return_mutes(state, target, now)
    if state.rooms.find(former.id) is None:
        state.mutes_of_absent.call_ended(former.id)
    session.home, session.claims = session.home or session.claims, claims
    session.standing = replace(claims, role=room.policy.role_of(target.identity, claims.role))
    _enter(state, session, target, room)


def _check_destination(state: State, act: Act, former: RoomPolicy, room_id: str, policy: RoomPolicy | None) -> None:
    """Refuse a room of another owner and guild, unless the actor may also move participants of that room."""
    if policy is not None and policy.has_ended(state.utc()):
        raise ClientMistake("room_closed")
    if may(act.actor.holder, act.permission, room=room_id):
        if policy is None and not state.settings.auto_create_rooms and not may(act.actor.holder, "room.create"):
            raise ClientMistake("not_found", "there is no such room")
        return
    if policy is None or not _belong_together(former, policy):
        raise ClientMistake("forbidden", "that room has neither the same owner nor the same guild")


def _belong_together(one: RoomPolicy, other: RoomPolicy) -> bool:
    same_owner = one.owner is not None and one.owner == other.owner
    return same_owner or (one.guild_id is not None and one.guild_id == other.guild_id)


def _claims_there(session: Session, room_id: str) -> Claims:
    """The claims in the new room: those of the token if it is for that room, else a member's."""
    home = session.home or session.claims
    assert home is not None
    if home.grants.room == room_id:
        return home
    role: Role = "operator" if home.role == "operator" else "member"
    grants = home.grants.model_copy(update={"room": room_id, "room_admin": False, "room_record": False})
    return replace(home, grants=grants, role=role, invited=True)


def _leave(state: State, room: LiveRoom, person: Participant) -> None:
    state.audience.announce(
        room, person, Outgoing("participant-left", {"participant": person.id, "reason": "migration"})
    )
    state.records.chronicle.left(person.id, "migration", state.utc())


def _enter(state: State, session: Session, person: Participant, room: LiveRoom) -> None:
    """Enter the new room with the same session and peer connection. A fresh token for the new room follows."""
    assert session.standing is not None
    person.role = session.standing.role
    person.change_flags(suppressed=room.suppresses(person))
    carrier = session.carrier
    address, agent = ("", "") if carrier is None else (carrier.address, carrier.user_agent)
    state.records.chronicle.joined(person, room.call, address, agent)
    session.refresh_at = float("-inf")
    payload = {
        "room": room.id,
        "call": room.call.view(),
        "participant": person.view(),
        "participants": room.views(person),
    }
    session.send(Outgoing("moved", payload))
    state.audience.introduce(room, person)
    state.media.participants.move(person.id, room.id, person.media_flags)
    review(state, room, person)
