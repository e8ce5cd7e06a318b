"""Who has the floor: what the rules of a room silence, and what moderators give and take. Pure."""

from dataclasses import replace
from typing import TYPE_CHECKING

from signaling.call.audience import announce_update
from signaling.call.room_policy import RoomPolicy
from signaling.call.rooms import Participant, Room
from signaling.protocol.server_messages import Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def set_floor(house: "Conversation", room: Room, identity: str, given: bool | None, ends: float | None = None) -> None:
    """Give somebody the floor, or take it (None: as the room's rules have it); in the media path at once.

    It holds for the identity while the call goes on, so that leaving and coming back changes nothing, or until `ends`.
    """
    room.set_floor(identity, given, ends)
    person = room.with_identity(identity)
    if person is not None:
        review(house, room, person)


def lift_due(house: "Conversation", now: float) -> None:
    """What was given or taken for a time is as the rules of the room have it again; the person is told."""
    for room in house.rooms:
        for identity in room.floor_due(now):
            person = room.with_identity(identity)
            was_suppressed = person is not None and person.flags.suppressed
            set_floor(house, room, identity, None)
            if person is not None and person.flags.suppressed != was_suppressed:
                action = "give_floor" if was_suppressed else "take_floor"
                house.audience.tell(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))


def adopt(house: "Conversation", room_id: str, policy: RoomPolicy) -> None:
    """The rules of a room are others now: they hold at once for whoever is there. Older ones change nothing.

    Nobody is sent away by them: who is in a room that has become private, or smaller, stays. Whoever owns it now is an
    owner from here on, and whoever did is what their token says.
    """
    room = house.rooms.find(room_id)
    if room is None or policy.version <= room.policy.version:
        return
    former, room.policy = room.policy, policy
    for person in list(room):
        if former.owner != policy.owner and person.identity in (former.owner, policy.owner):
            _review_role(house, policy, person)
        review(house, room, person)


def _review_role(house: "Conversation", policy: RoomPolicy, person: Participant) -> None:
    session = house.audience.session(person.id)
    if session is None or session.claims is None:
        return
    role = policy.role_of(person.identity, session.claims.role)
    session.standing = replace(session.claims, role=role)
    if role != person.role:
        person.role = role
        announce_update(house, person, to_self=True)


def review(house: "Conversation", room: Room, person: Participant) -> None:
    """Let the rules of the room say anew whether somebody is suppressed; whoever sees it is told of a change."""
    if person.change_flags(suppressed=room.suppresses(person)):
        house.media.set_flags(person.id, person.media_flags)
        announce_update(house, person, to_self=True)
