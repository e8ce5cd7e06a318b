"""Handlers of message, signal, ping, own flags and DTMF tones. Pure."""

from typing import cast

from sfu.dtmf import Keys
from signaling.call.rooms import LiveRoom, Participant
from signaling.call.state import State, announce_update
from signaling.errors import ClientMistake
from signaling.identity.permissions import may
from signaling.ids import uuid7
from signaling.protocol.client_messages import Dtmf, Ping, Request, SendMessage, Signal
from signaling.protocol.server_messages import OK, Outgoing, rfc3339
from signaling.protocol.session import Session
from signaling.storage.messages import Message as KeptMessage
from signaling.storage.messages import check_message


def message(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Chat or application data to the room, or to one; the sender gets the same message back as its answer.

    Raises ClientMistake: `forbidden`, `no_such_participant`; in a room that keeps its messages also `bad_message`, for
    one that cannot be kept.
    """
    del now
    payload = cast(SendMessage, request.payload)
    person, room = _speaker(state, session, "message.send")
    target = None if payload.to is None else room.get(payload.to)
    utc = state.utc()
    told = {
        "from": person.id,
        "to": payload.to,
        "topic": payload.topic,
        "body": payload.body,
        "sent_at": rfc3339(utc),
    }
    if room.policy.message_days is not None:
        kept = KeptMessage(
            id=uuid7(utc, state.random),
            room_id=room.id,
            sender=person.identity,
            recipient=None if target is None else target.identity,
            topic=payload.topic,
            body=payload.body,
            sent_at=utc,
        )
        state.records.chronicle.message_kept(check_message(kept))
        told["id"] = kept.id
    sent = Outgoing("message", told)
    if target is None:
        state.audience.tell_room(room, sent, but=person)
    elif target is not person:
        state.audience.tell(target.id, sent)
    return sent


def signal(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Relay the clients' own fields to one participant of the same room, with who it is from."""
    del now
    payload = cast(Signal, request.payload)
    person, room = _speaker(state, session, "signal.send")
    target = room.get(payload.to)
    state.audience.tell(target.id, Outgoing("signal", {**(payload.model_extra or {}), "from": person.id}))
    return OK


def ping(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """A sign of life; what is acknowledged need not be kept any longer."""
    del state, now
    seq_ack = cast(Ping, request.payload).seq_ack
    session.heard(seq_ack)
    return Outgoing("pong", {"seq_ack": seq_ack})


def _speaker(state: State, session: "Session", action: str) -> tuple[Participant, LiveRoom]:
    """Who speaks, and where. Raises ClientMistake (`forbidden`)."""
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


def set_own_flag(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Set what the type of the request names; the answer is one's own `participant-updated`.

    The others are told only of a change.
    """
    del now
    person = state.person(session)
    if not person.change_flags(**_FLAGS[request.type]):
        return Outgoing("participant-updated", {"participant": person.view()})
    state.media.participants.set_flags(person.id, person.media_flags)
    return announce_update(state, person)


def press(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Tones to the room, as RTP events to whoever has negotiated them; they follow those that are still to be sent.

    Raises ClientMistake: `muted` for who may not be heard now, `rate_limited` where too many tones wait already.
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
    """Somebody has pressed a key, by RTP or by message: the others who may hear them are told, once for each tone."""
    person = state.rooms.participant(participant_id)
    room = None if person is None else state.rooms.find(person.room_id)
    if person is None or room is None or person.hidden:
        return
    message = Outgoing("dtmf", {"from": person.id, "tone": tone, "duration_ms": round(duration * 1000)})
    for other in room:
        if other is not person and other.media_flags.may_hear:
            state.audience.tell(other.id, message)
