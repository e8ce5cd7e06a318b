"""The call that is on in a room: from the first participant to the last one leaving. Pure.

The room holds it, and nothing else makes one: messages, the history and its events tell of this id and these times.
The hidden count, so that whoever comes to them comes into a call that was on already.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from signaling.protocol.server_messages import EarlyEnd, LiveCallView, Outgoing, rfc3339

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.call.rooms import Room


@dataclass(slots=True)
class LiveCall:
    """`id` is the one that history has; times are aware UTC. A call that ends as its last leaves needs no `reason`."""

    id: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: EarlyEnd | None = None

    def end(self, reason: EarlyEnd, utc: datetime) -> bool:
        """End it for all who are in it; whether it was on until now."""
        if self.ended_at is not None:
            return False
        self.ended_at, self.reason = utc, reason
        return True

    def view(self) -> LiveCallView:
        """What those who are in the room are told."""
        view: LiveCallView = {"id": self.id, "state": "active", "started_at": rfc3339(self.started_at)}
        if self.ended_at is not None and self.reason is not None:
            view |= {"state": "ended", "ended_at": rfc3339(self.ended_at), "reason": self.reason}
        return view


def end_call(house: "Conversation", room: "Room", reason: EarlyEnd) -> None:
    """The call ends while people are there: they hear of it before whatever sends them away, and they hear it once."""
    if room.call.end(reason, house.utc()):
        house.audience.tell_room(room, Outgoing("call-state-changed", {"call": room.call.view()}))
