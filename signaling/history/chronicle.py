"""Records the history of calls: rows of participants, calls and moderation actions, each with its event. Pure.

Each method of `KeptChronicle` queues one transaction. Hidden participants are in the history. No event names them, and
a call with only hidden participants has no events.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sfu.offer import CandidateType
from signaling.call.chronicle import AuditEvent, SentMessage
from signaling.call.rooms import LiveCall, Participant
from signaling.history import events
from signaling.ids import RandomBytes, uuid7
from signaling.protocol.server_messages import LeaveReason
from signaling.storage.messages import Message, check_message
from signaling.storage.pages import values_of
from signaling.storage.spool import Change

_JUST_LEFT = 64
"""Departed participants that are remembered, so that the moderation action that removed one can name the call."""


@dataclass(slots=True)
class _Written:
    """What has been written of a call: the number of its participants, and whether `call.started` was sent."""

    call: LiveCall
    people: int = 0
    reported: bool = False


@dataclass(frozen=True, slots=True)
class _Presence:
    row_id: str
    room_id: str
    identity: str
    address: str | None
    user_agent: str | None
    hidden: bool
    view: dict[str, Any]


class KeptChronicle:
    """A chronicle that passes batches of changes to `put`, which does not wait. `node` is the name of this server."""

    def __init__(self, put: Callable[[Sequence[Change]], None], node: str, random: RandomBytes) -> None:
        self._put = put
        self._node = node
        self._random = random
        self._calls: dict[str, _Written] = {}
        self._present: dict[str, _Presence] = {}
        self._just_left: deque[_Presence] = deque(maxlen=_JUST_LEFT)
        self._moving: dict[str, _Presence] = {}
        self._media: dict[str, str] = {}

    def joined(self, person: Participant, call: LiveCall, address: str, user_agent: str) -> None:
        """See `Chronicle`."""
        utc = person.joined_at
        written, changes = self._begin(person, call)
        # A moved participant keeps its id and gets a new row. It may have no connection at this moment.
        former = self._moving.get(person.id)
        row_id = person.id if former is None else uuid7(utc, self._random)
        came_from = address or (former and former.address) or None
        software = user_agent or (former and former.user_agent) or None
        view = events.person(row_id, person.identity, person.name, person.role, utc)
        self._present[person.id] = _Presence(
            row_id, person.room_id, person.identity, came_from, software, person.hidden, view
        )
        written.people += 1
        values = {
            "id": row_id,
            "call_id": written.call.id,
            "room_id": person.room_id,
            "node": self._node,
            "identity": person.identity,
            "name": person.name,
            "role": person.role,
            "joined_at": utc,
            "address": came_from,
            "user_agent": software,
        }
        changes.append(Change("participant.join", values))
        if former is not None and person.id in self._media:
            changes.append(Change("media.move", {"session_id": self._media[person.id], "participant_id": row_id}))
        if not person.hidden:
            changes.append(events.participant_joined(person.room_id, written.call.id, view, utc))
        self._put(changes)

    def left(self, participant_id: str, reason: LeaveReason, utc: datetime) -> None:
        """See `Chronicle`."""
        presence = self._present.pop(participant_id, None)
        if presence is None:
            return
        self._moving.pop(participant_id, None)
        if reason == "migration":
            self._moving[participant_id] = presence
        self._just_left.append(presence)
        written = self._calls[presence.room_id]
        call = written.call
        written.people -= 1
        # A participant removed by the end of the call leaves at the same moment as the call ends.
        utc = call.ended_at or utc
        values = {"participant_id": presence.row_id, "reason": reason, "utc": utc}
        changes = [Change("participant.leave", values)]
        if not presence.hidden:
            place = (presence.room_id, call.id)
            changes.append(events.participant_left(self._new_id(utc), place, presence.view, reason, utc))
        if not written.people:
            del self._calls[presence.room_id]
            changes += self._ended(presence.room_id, written, utc)
        self._put(changes)

    def media_began(self, participant_id: str, utc: datetime) -> None:
        """See `Chronicle`."""
        presence = self._present.get(participant_id)
        if presence is not None:
            session_id = self._media[participant_id] = self._new_id(utc)
            values = {
                "id": session_id,
                "participant_id": presence.row_id,
                "created_at": utc,
                "user_agent": presence.user_agent,
            }
            self._put([Change("media.begin", values)])

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None, utc: datetime) -> None:
        """See `Chronicle`. The transport is always UDP between this server and the client or its TURN relay."""
        session_id = self._media.get(participant_id)
        if session_id is not None:
            values = {"session_id": session_id, "utc": utc, "transport": "udp", "candidate_type": candidate_type}
            self._put([Change("media.connected", values)])

    def media_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int], utc: datetime) -> None:
        """See `Chronicle`."""
        session_id = self._media.pop(participant_id, None)
        if session_id is not None:
            values = {"session_id": session_id, "utc": utc, "reason": reason, "sent_received": list(sent_received)}
            self._put([Change("media.end", values)])

    def message_sent(self, message: SentMessage) -> None:
        """See `Chronicle`. No event reports it."""
        stored = Message(**values_of(message), call_id=self._call_id(message.room_id))
        self._put([Change("message.keep", values_of(check_message(stored)))])

    def acted(self, event: AuditEvent) -> None:
        """See `Chronicle`."""
        act_id = self._new_id(event.at)
        presence = self._presence_of(event.room, event.target)
        call_id = self._call_id(event.room or "")
        values = {
            "id": act_id,
            "action": event.action,
            "actor": event.actor,
            "actor_role": event.actor_role,
            "created_at": event.at,
            "target": event.target,
            "address": event.address or None,
            "room_id": event.room,
            "call_id": call_id,
            "participant_id": None if presence is None else presence.row_id,
            "reason": event.reason or "",
            "expires_at": event.until,
            "details": {} if event.to_room is None else {"room": event.to_room},
        }
        changes = [Change("moderation.event", values)]
        if presence is None or not presence.hidden:
            changes.append(events.moderation_action(act_id, event, call_id))
        self._put(changes)

    def _begin(self, person: Participant, call: LiveCall) -> tuple[_Written, list[Change]]:
        """Return the record of the participant's call, with the changes that start the call or send `call.started`."""
        changes: list[Change] = []
        written = self._calls.get(person.room_id)
        if written is None:
            written = self._calls[person.room_id] = _Written(call)
            values = {"id": call.id, "room_id": person.room_id, "node": self._node, "started_at": call.started_at}
            changes.append(Change("call.start", values))
        if not (person.hidden or written.reported):
            written.reported = True
            changes.append(events.call_started(person.room_id, written.call.id, written.call.started_at))
        return written, changes

    def _ended(self, room_id: str, written: _Written, utc: datetime) -> list[Change]:
        call, reason = written.call, written.call.reason or "empty"
        changes = [Change("call.end", {"call_id": call.id, "reason": reason, "utc": utc})]
        if written.reported:
            times = (call.started_at, utc)
            changes.append(events.call_ended(self._new_id(utc), room_id, call.id, times, reason))
        return changes

    def _call_id(self, room_id: str) -> str | None:
        written = self._calls.get(room_id)
        return None if written is None else written.call.id

    def _presence_of(self, room_id: str | None, identity: str) -> _Presence | None:
        """Return where a participant is, or was until this action. `room_id` None: among the departed of all rooms."""
        presences = [*self._just_left] if room_id is None else [*self._just_left, *self._present.values()]
        found = [one for one in presences if one.identity == identity and room_id in (None, one.room_id)]
        return found[-1] if found else None

    def _new_id(self, utc: datetime) -> str:
        return uuid7(utc, self._random)
