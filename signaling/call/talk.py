"""Handlers for what passes between people beside audio: message, signal; and ping. Pure."""

from typing import TYPE_CHECKING, cast

from signaling.call.rooms import Participant, Room
from signaling.errors import ClientMistake
from signaling.identity.permissions import may
from signaling.ids import uuid7
from signaling.protocol.client_messages import Ping, Request, SendMessage, Signal
from signaling.protocol.server_messages import OK, Outgoing, rfc3339
from signaling.storage.message_record import Message as KeptMessage
from signaling.storage.message_record import check_message

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session


def message(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """Chat or application data to the room, or to one; the sender gets the same message back as its answer.

    Raises ClientMistake: `forbidden`, `no_such_participant`; in a room that keeps its messages also `bad_message`, for
    one that cannot be kept.
    """
    del now
    payload = cast(SendMessage, request.payload)
    person, room = _speaker(house, session, "message.send")
    target = None if payload.to is None else room.get(payload.to)
    utc = house.utc()
    told = {
        "from": person.id,
        "to": payload.to,
        "topic": payload.topic,
        "body": payload.body,
        "sent_at": rfc3339(utc),
    }
    if room.policy.message_days is not None:
        kept = KeptMessage(
            id=uuid7(utc, house.random),
            room_id=room.id,
            sender=person.identity,
            recipient=None if target is None else target.identity,
            topic=payload.topic,
            body=payload.body,
            sent_at=utc,
        )
        house.records.chronicle.message_kept(check_message(kept))
        told["id"] = kept.id
    sent = Outgoing("message", told)
    if target is None:
        house.audience.tell_room(room, sent, but=person)
    elif target is not person:
        house.audience.tell(target.id, sent)
    return sent


def signal(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """Relay the clients' own fields to one participant of the same room, with who it is from."""
    del now
    payload = cast(Signal, request.payload)
    person, room = _speaker(house, session, "signal.send")
    target = room.get(payload.to)
    house.audience.tell(target.id, Outgoing("signal", {**(payload.model_extra or {}), "from": person.id}))
    return OK


def ping(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """A sign of life; what is acknowledged need not be kept any longer."""
    del house, now
    seq_ack = cast(Ping, request.payload).seq_ack
    session.heard(seq_ack)
    return Outgoing("pong", {"seq_ack": seq_ack})


def _speaker(house: "Conversation", session: "Session", action: str) -> tuple[Participant, Room]:
    """Who speaks, and where. Raises ClientMistake (`forbidden`)."""
    person = house.person(session)
    assert session.standing is not None
    if not may(session.standing, action, room=person.room_id):
        raise ClientMistake("forbidden", "the token does not allow messages")
    room = house.rooms.find(person.room_id)
    assert room is not None
    return person, room
