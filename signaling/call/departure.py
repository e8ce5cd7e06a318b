"""How somebody leaves a room, whatever the reason. Pure."""

from typing import TYPE_CHECKING

from signaling.call.rooms import Participant
from signaling.call.timed_flags import TIMED_FLAGS
from signaling.protocol.server_messages import LeaveReason, Outgoing
from signaling.protocol.session import Session

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def depart(house: "Conversation", person: Participant, reason: LeaveReason, now: float) -> Outgoing:
    """Take somebody out of its room and off the media server; the others are told. The message is given back.

    The media server comes last: whatever it makes of it, nobody is counted who has left.
    """
    message = Outgoing("participant-left", {"participant": person.id, "reason": reason})
    room = house.rooms.find(person.room_id)
    session = house.audience.session(person.id)
    house.rooms.remove(person)
    house.audience.vacate(person.id)
    remember_mutes(house, person)
    house.timed_flags.forget(person.id)
    house.records.chronicle.left(person.id, reason, house.utc())
    if session is not None:
        session.media(False, now)
    if room is not None:
        house.audience.announce(room, person, message)
    house.media.remove_participant(person.id)
    return message


def remember_mutes(house: "Conversation", person: Participant) -> None:
    """Somebody has left, or is about to: what a moderator has set holds for the identity, not for the stay."""
    flags = {"mute": person.flags.mute, "deaf": person.flags.deaf}
    ends = {flag: house.timed_flags.ends(person.id, flag) for flag in TIMED_FLAGS if flags[flag]}
    house.mutes_of_absent.keep(person.room_id, person.identity, ends)
    if house.rooms.find(person.room_id) is None:
        house.mutes_of_absent.call_ended(person.room_id)


def return_mutes(house: "Conversation", person: Participant, now: float) -> None:
    """What a moderator had set of somebody who comes back is set again. Of two ends of a flag the later one counts."""
    flags = {"mute": person.flags.mute, "deaf": person.flags.deaf}
    ends = house.mutes_of_absent.take(person.room_id, person.identity, now)
    for flag, at in ends.items():
        other = house.timed_flags.ends(person.id, flag) if flags[flag] else at
        house.timed_flags.set(person.id, flag, None if at is None or other is None else max(at, other))
    if person.change_flags(**dict.fromkeys(ends, True)):
        house.media.set_flags(person.id, person.media_flags)


def dismiss(house: "Conversation", session: Session, reason: str, code: str) -> None:
    """End a session for somebody else's reason: its client is told not to come back by itself."""
    session.send(Outgoing("reconnect", {"action": "disconnect", "reason": reason}))
    house.end(session, "removed", code)
