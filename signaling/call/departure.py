"""How somebody leaves a room, whatever the reason. Pure."""

from typing import TYPE_CHECKING

from signaling.call.rooms import Participant
from signaling.protocol.server_messages import LeaveReason, Outgoing
from signaling.protocol.session import Session

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def depart(house: "Conversation", person: Participant, reason: LeaveReason, now: float) -> Outgoing:
    """Take somebody out of its room and off the media server; the others are told. The message is given back."""
    message = Outgoing("participant-left", {"participant": person.id, "reason": reason})
    room = house.rooms.find(person.room_id)
    session = house.audience.session(person.id)
    house.rooms.remove(person)
    house.audience.vacate(person.id)
    house.timed_flags.forget(person.id)
    if session is not None:
        session.media(False, now)
    if room is not None:
        house.audience.announce(room, person, message)
    house.media.remove_participant(person.id)
    return message


def dismiss(house: "Conversation", session: Session, reason: str, code: str) -> None:
    """End a session for somebody else's reason: its client is told not to come back by itself."""
    session.send(Outgoing("reconnect", {"action": "disconnect", "reason": reason}))
    house.end(session, "removed", code)
