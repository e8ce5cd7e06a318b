"""Handlers of `message`, `signal`, `ping`, DTMF, and the flags that participants set for themselves. Pure."""

from typing import cast

from sfu.dtmf import Keys
from signaling.call.chronicle import SentMessage
from signaling.call.rooms import LiveRoom, Participant
from signaling.call.state import State, announce_update
from signaling.clock import rfc3339
from signaling.errors import ClientMistake
from signaling.identity.permissions import may
from signaling.ids import uuid7
from signaling.protocol.client_messages import Dtmf, Ping, Request, SendMessage, Signal
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import Session


def message(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `message`: send it to the room or to one participant, and answer the sender with the same message.

    Raises ClientMistake: `forbidden`, `no_such_participant`; `bad_message` for one that the room cannot store.
    """
    del now
    payload = cast(SendMessage, request.payload)
    person, room = _speaker(state, session, "message.send")
    target = None if payload.to is None else room.get(payload.to)
    utc = state.utc()
    fields = {
        "from": person.id,
        "to": payload.to,
        "topic": payload.topic,
        "body": payload.body,
        "sent_at": rfc3339(utc),
    }
    if room.policy.message_days is not None:
        stored = SentMessage(
            id=uuid7(utc, state.random),
            room_id=room.id,
            sender=person.identity,
            recipient=None if target is None else target.identity,
            topic=payload.topic,
            body=payload.body,
            sent_at=utc,
        )
        state.records.chronicle.message_sent(stored)
        fields["id"] = stored.id
    sent = Outgoing("message", fields)
    if target is None:
        state.audience.send_room(room, sent, but=person)
    elif target is not person:
        state.audience.send(target.id, sent)
    return sent


def signal(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `signal`: relay the client's fields to one participant of the room, with the sender's id."""
    del now
    payload = cast(Signal, request.payload)
    person, room = _speaker(state, session, "signal.send")
    target = room.get(payload.to)
    state.audience.send(target.id, Outgoing("signal", {**(payload.model_extra or {}), "from": person.id}))
    return OK


def ping(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `ping`: drop the acknowledged messages, and answer `pong`."""
    del state, now
    seq_ack = cast(Ping, request.payload).seq_ack
    session.heard(seq_ack)
    return Outgoing("pong", {"seq_ack": seq_ack})


def _speaker(state: State, session: Session, action: str) -> tuple[Participant, LiveRoom]:
    """The sender and its room. Raises ClientMistake (`forbidden`)."""
    person = state.person(session)
    assert session.standing is not None
    if not may(session.standing, action, room=person.room_id):
        raise ClientMistake("forbidden", "the token does not allow messages")
    room = state.rooms.find(person.room_id)
    assert room is not None
    return person, room


_FLAGS: dict[str, dict[str, bool]] = {
    "mute": {"self_mute": True},
    "unmute": {"self_mute": False},
    "deafen": {"self_deaf": True},
    "undeafen": {"self_deaf": False},
    "hold": {"held": True},
    "unhold": {"held": False},
}


def set_own_flag(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Set the flag that the request's type names, and answer `participant-updated`. Only a change is announced."""
    del now
    person = state.person(session)
    if not person.change_flags(**_FLAGS[request.type]):
        return Outgoing("participant-updated", {"participant": person.view()})
    state.media.participants.set_flags(person.id, person.media_flags)
    return announce_update(state, person)


def press(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `dtmf`: queue tones for the room, as RTP events to clients that have negotiated them.

    Raises ClientMistake: `muted` for a participant who may not speak, `rate_limited` where too many tones are queued.
    """
    del now
    person, payload = state.person(session), cast(Dtmf, request.payload)
    if not person.media_flags.may_speak:
        raise ClientMistake("muted")
    keys = Keys(payload.tones.upper(), payload.duration_ms / 1000, payload.gap_ms / 1000)
    if not state.media.participants.press_keys(person.id, keys):
        raise ClientMistake("rate_limited", "too many tones are waiting")
    return OK


def heard(state: State, participant_id: str, tone: str, duration: float) -> None:
    """Send `dtmf` for a tone, which came by RTP or by message, to the others who may hear its sender."""
    person = state.rooms.participant(participant_id)
    room = None if person is None else state.rooms.find(person.room_id)
    if person is None or room is None or person.hidden:
        return
    message = Outgoing("dtmf", {"from": person.id, "tone": tone, "duration_ms": round(duration * 1000)})
    for other in room:
        if other is not person and other.media_flags.may_hear:
            state.audience.send(other.id, message)
