"""Events of calls for the outbox, with their payloads. Pure.

An event that reports a beginning has the id of what began, so a later lookup shows whether it was reported.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from signaling.call.chronicle import AuditEvent
from signaling.clock import rfc3339
from signaling.storage.spool import Change


def event(event_id: str, name: str, room_id: str, payload: Mapping[str, Any], utc: datetime) -> Change:
    """Return the change that appends an event to the outbox."""
    values = {"id": event_id, "event": name, "payload": dict(payload), "created_at": utc, "room_id": room_id}
    return Change("event.append", values)


def call_started(room_id: str, call_id: str, utc: datetime) -> Change:
    """`call.started`: the first visible participant is in the room."""
    return event(call_id, "call.started", room_id, _call(call_id, utc), utc)


def call_ended(event_id: str, room_id: str, call_id: str, times: tuple[datetime, datetime], reason: str) -> Change:
    """`call.ended`: the last participant has left. `times` are the start and the end."""
    started_at, ended_at = times
    payload = {**_call(call_id, started_at), "ended_at": rfc3339(ended_at), "reason": reason}
    return event(event_id, "call.ended", room_id, payload, ended_at)


def person(row_id: str, identity: str, name: str, role: str, joined_at: datetime) -> dict[str, Any]:
    """A participant as events describe it, without address and device."""
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
    """`moderation.action`: actor, action and target. A hidden actor is not named."""
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
