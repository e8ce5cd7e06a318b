"""Who is told what: participants and the sessions that speak for them. Pure."""

from typing import TYPE_CHECKING

from signaling.call.rooms import Participant, Room
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Session

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


class Audience:
    """Which session speaks for which participant, and the ways of telling one or many."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def seat(self, participant_id: str, session: Session) -> None:
        """From now on this session speaks for this participant."""
        self._sessions[participant_id] = session
        session.participant_id = participant_id

    def vacate(self, participant_id: str) -> None:
        """Nobody speaks for this participant any more."""
        session = self._sessions.pop(participant_id, None)
        if session is not None:
            session.participant_id = None
            session.standing = None
            session.slots = None

    def session(self, participant_id: str) -> Session | None:
        """Who speaks for this participant."""
        return self._sessions.get(participant_id)

    def tell(self, participant_id: str, message: Outgoing) -> None:
        """Send to one."""
        session = self._sessions.get(participant_id)
        if session is not None:
            session.send(message)

    def tell_room(self, room: Room, message: Outgoing, *, but: Participant | None = None) -> None:
        """Send to everybody in the room, `but` one; the payload is serialised once."""
        sessions = self._sessions
        for person in room:
            if person is not but and (session := sessions.get(person.id)) is not None:
                session.send(message)

    def announce(self, room: Room, person: Participant, message: Outgoing) -> None:
        """Tell the others something about `person`, unless it is hidden from them."""
        if not person.hidden:
            self.tell_room(room, message, but=person)


def announce_update(house: "Conversation", person: Participant, *, to_self: bool = False) -> Outgoing:
    """Tell the others how somebody stands now; the message is given back for the person's own answer."""
    message = Outgoing("participant-updated", {"participant": person.view()})
    room = house.rooms.find(person.room_id)
    assert room is not None
    house.audience.announce(room, person, message)
    if to_self:
        house.audience.tell(person.id, message)
    return message
