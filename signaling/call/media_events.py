"""What the media server says, brought to those concerned. Pure; participants that have left are passed over."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfu.observer import SlotAssignment, Speaker
from sfu.offer import CandidateType
from signaling.call.audience import announce_update
from signaling.errors import ClientMistake
from signaling.protocol.server_messages import Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def connection_began(house: "Conversation", participant_id: str) -> None:
    """A peer connection begins: that is history."""
    house.records.chronicle.media_began(participant_id, house.utc())


def connection_ended(house: "Conversation", participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
    """It is over, and so many octets went each way."""
    house.records.chronicle.media_ended(participant_id, reason, sent_received, house.utc())


def connected(house: "Conversation", participant_id: str, candidate_type: CandidateType | None, now: float) -> None:
    """The peer connection stands: the participant is active, unless its signaling line is lost."""
    person, session = house.rooms.participant(participant_id), house.audience.session(participant_id)
    if person is None or session is None:
        return
    person.media_up = True
    house.records.chronicle.media_connected(person.id, candidate_type, house.utc())
    session.media(True, now)
    if session.carrier is not None and person.step("media_up"):
        announce_update(house, person, to_self=True)


def gone(house: "Conversation", participant_id: str, reason: str, now: float) -> None:
    """The peer connection has ended: its client is to open a new one; the others see it reconnecting."""
    person, session = house.rooms.participant(participant_id), house.audience.session(participant_id)
    if person is None or session is None:
        return
    person.media_up = False
    session.media(False, now)
    session.slots = None
    session.send(Outgoing("endpoint-gone", {"reason": reason}))
    if person.step("media_down"):
        announce_update(house, person, to_self=True)


def arriving(house: "Conversation", participant_id: str, arriving: bool) -> None:
    """Audio of this person arrives, or does not."""
    house.audience.tell(participant_id, Outgoing("media", {"arriving": arriving}))


def slots_changed(house: "Conversation", participant_id: str, slots: Sequence[SlotAssignment]) -> None:
    """Who is in which slot of this listener now; kept, for a client that has missed too much."""
    session = house.audience.session(participant_id)
    if session is not None:
        listed = [{"mid": slot.mid, "participant": slot.participant, "gain": slot.gain} for slot in slots]
        session.slots = Outgoing("slots", {"slots": listed})
        session.send(session.slots)


def speakers_changed(house: "Conversation", room_id: str, speakers: Sequence[Speaker]) -> None:
    """Who speaks, to everybody in the room."""
    room = house.rooms.find(room_id)
    if room is not None:
        listed = [{"participant": speaker.participant, "level": round(speaker.level, 4)} for speaker in speakers]
        house.audience.tell_room(room, Outgoing("speakers", {"speakers": listed}))


def flooding(house: "Conversation", participant_id: str) -> None:
    """This person sends too many packets: say so."""
    session = house.audience.session(participant_id)
    if session is not None:
        house.refuse(session, ClientMistake("rate_limited", "too many packets; the surplus is dropped"))
