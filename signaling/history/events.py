"""Events of calls for the outbox, with their payloads. Pure.

An event that something has begun has the id of what began: so it can be asked later whether it was told at all.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signaling.call.chronicle import AuditEvent
from signaling.clock import rfc3339
from signaling.storage.spool import Change


def event(event_id: str, name: str, room_id: str, payload: Mapping[str, Any], utc: datetime) -> Change:
    """The change that puts an event into the outbox."""
    values = {"id": event_id, "event": name, "payload": dict(payload), "created_at": utc, "room_id": room_id}
    return Change("event.append", values)


def call_started(room_id: str, call_id: str, utc: datetime) -> Change:
    """Somebody is in the room: `call.started`."""
    return event(call_id, "call.started", room_id, _call(call_id, utc), utc)


def call_ended(event_id: str, room_id: str, call_id: str, times: tuple[datetime, datetime], reason: str) -> Change:
    """Nobody is there any more: `call.ended`, with when it started and ended."""
    started_at, ended_at = times
    payload = {**_call(call_id, started_at), "ended_at": rfc3339(ended_at), "reason": reason}
    return event(event_id, "call.ended", room_id, payload, ended_at)


def person(row_id: str, identity: str, name: str, role: str, joined_at: datetime) -> dict[str, Any]:
    """Somebody in a call, as events have it: no address, and nothing of the device."""
    return {"id": row_id, "identity": identity, "name": name, "role": role, "joined_at": rfc3339(joined_at)}


def participant_joined(room_id: str, call_id: str, who: Mapping[str, Any], utc: datetime) -> Change:
    """`participant.joined`."""
    payload = {"call": call_id, "participant": dict(who)}
    return event(who["id"], "participant.joined", room_id, payload, utc)


def participant_left(
    event_id: str, place: tuple[str, str], who: Mapping[str, Any], reason: str, utc: datetime
) -> Change:
    """`participant.left`; `place` is the room and the call."""
    room_id, call_id = place
    payload = {"call": call_id, "participant": dict(who), "left_at": rfc3339(utc), "reason": reason}
    return event(event_id, "participant.left", room_id, payload, utc)


def moderation_action(act_id: str, act: AuditEvent, call_id: str | None) -> Change:
    """`moderation.action`: who did what to whom; who is hidden is not named."""
    payload = {
        "id": act_id,
        "call": call_id,
        "action": act.action,
        "actor": None if act.actor_hidden else act.actor,
        "actor_role": act.actor_role,
        "target": act.target,
        "to_room": act.to_room,
        "reason": act.reason,
        "until": None if act.until is None else rfc3339(act.until),
        "at": rfc3339(act.at),
    }
    return event(act_id, "moderation.action", act.room or "", payload, act.at)


def _call(call_id: str, started_at: datetime) -> dict[str, Any]:
    return {"call": call_id, "started_at": rfc3339(started_at)}
