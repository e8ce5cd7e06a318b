"""The floor of a moderated room, and changes of a room's policy while participants are in it. Pure."""

from dataclasses import replace

from signaling.call.rooms import LiveRoom, Participant, RoomPolicy
from signaling.call.state import State, announce_update
from signaling.protocol.server_messages import Outgoing


def set_floor(state: State, room: LiveRoom, identity: str, given: bool | None, ends: float | None = None) -> None:
    """Give an identity the floor or take it; None restores the policy. It takes effect with the next packet.

    It lasts until `ends` (monotonic seconds) or the end of the call, also if the participant leaves and returns.
    """
    room.set_floor(identity, given, ends)
    person = room.with_identity(identity)
    if person is not None:
        review(state, room, person)


def lift_due(state: State, now: float) -> None:
    """Restore the policy for participants whose time with or without the floor is over, and notify them."""
    for room in state.rooms:
        for identity in room.floor_due(now):
            person = room.with_identity(identity)
            was_suppressed = person is not None and person.flags.suppressed
            set_floor(state, room, identity, None)
            if person is not None and person.flags.suppressed != was_suppressed:
                action = "give_floor" if was_suppressed else "take_floor"
                state.audience.send(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))


def adopt(state: State, room_id: str, policy: RoomPolicy) -> None:
    """Apply a changed policy to the participants of a room. An older `version` is ignored.

    Nobody is removed: participants stay in a room that has become private or smaller. The new owner has the role at
    once; the former one gets the role of their token.
    """
    room = state.rooms.find(room_id)
    if room is None or policy.version <= room.policy.version:
        return
    former, room.policy = room.policy, policy
    for person in list(room):
        if former.owner != policy.owner and person.identity in (former.owner, policy.owner):
            _review_role(state, policy, person)
        review(state, room, person)


def _review_role(state: State, policy: RoomPolicy, person: Participant) -> None:
    session = state.audience.session(person.id)
    if session is None or session.claims is None:
        return
    role = policy.role_of(person.identity, session.claims.role)
    session.standing = replace(session.claims, role=role)
    if role != person.role:
        person.role = role
        announce_update(state, person, to_self=True)


def review(state: State, room: LiveRoom, person: Participant) -> None:
    """Recompute whether the policy suppresses a participant, and announce a change."""
    if person.change_flags(suppressed=room.suppresses(person)):
        state.media.participants.set_flags(person.id, person.media_flags)
        announce_update(state, person, to_self=True)
