"""Keys that people press: the handler for `dtmf`, and what the others are told of each tone. Pure."""

from typing import TYPE_CHECKING, cast

from sfu.dtmf import Keys
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import Dtmf, Request
from signaling.protocol.server_messages import OK, Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session


def press(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """Tones to the room, as RTP events to whoever has negotiated them; they follow those that are still to be sent.

    Raises ClientMistake: `muted` for who may not be heard now, `rate_limited` where too many tones wait already.
    """
    del now
    person, payload = house.person(session), cast(Dtmf, request.payload)
    if not person.media_flags.may_speak:
        raise ClientMistake("muted")
    keys = Keys(payload.tones.upper(), payload.duration_ms / 1000, payload.gap_ms / 1000)
    if not house.media.press_keys(person.id, keys):
        raise ClientMistake("rate_limited", "too many tones wait to be sent")
    return OK


def heard(house: "Conversation", participant_id: str, tone: str, duration: float) -> None:
    """Somebody has pressed a key, by RTP or by message: the others who may hear them are told, once for each tone."""
    person = house.rooms.participant(participant_id)
    room = None if person is None else house.rooms.find(person.room_id)
    if person is None or room is None or person.hidden:
        return
    message = Outgoing("dtmf", {"from": person.id, "tone": tone, "duration_ms": round(duration * 1000)})
    for other in room:
        if other is not person and other.media_flags.may_hear:
            house.audience.tell(other.id, message)
