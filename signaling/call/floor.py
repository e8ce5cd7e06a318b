"""The floor: which participants the rules of a room suppress, and what moderators give and take. Pure."""

from dataclasses import replace

from signaling.call.rooms import LiveRoom, Participant, RoomPolicy
from signaling.call.state import State, announce_update
from signaling.protocol.server_messages import Outgoing


def set_floor(state: State, room: LiveRoom, identity: str, given: bool | None, ends: float | None = None) -> None:
    """Give somebody the floor, or take it (None: as the room's rules have it); in the media path at once.

    It holds for the identity while the call goes on, so that leaving and coming back changes nothing, or until `ends`.
    """
    room.set_floor(identity, given, ends)
    person = room.with_identity(identity)
    if person is not None:
        review(state, room, person)


def lift_due(state: State, now: float) -> None:
    """What was given or taken for a time is as the rules of the room have it again; the person is told."""
    for room in state.rooms:
        for identity in room.floor_due(now):
            person = room.with_identity(identity)
            was_suppressed = person is not None and person.flags.suppressed
            set_floor(state, room, identity, None)
            if person is not None and person.flags.suppressed != was_suppressed:
                action = "give_floor" if was_suppressed else "take_floor"
                state.audience.tell(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))


def adopt(state: State, room_id: str, policy: RoomPolicy) -> None:
    """The rules of a room are others now: they hold at once for whoever is there. Older ones change nothing.

    Nobody is sent away by them: who is in a room that has become private, or smaller, stays. Whoever owns it now is an
    owner from here on, and whoever did is what their token says.
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
    """Let the rules of the room say anew whether somebody is suppressed; whoever sees it is told of a change."""
    if person.change_flags(suppressed=room.suppresses(person)):
        state.media.participants.set_flags(person.id, person.media_flags)
        announce_update(state, person, to_self=True)
