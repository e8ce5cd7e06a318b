"""The media server's observer: it hands each event to its handler, and never raises."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from sfu.observer import SlotAssignment, Speaker
from sfu.offer import CandidateType
from signaling.call import media_events, tones

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation

_log = structlog.get_logger("signaling.media")


class MediaWatch:
    """A `MediaObserver` over a conversation that may begin later; `now` gives monotonic seconds."""

    def __init__(self, conversation: "Callable[[], Conversation]", now: Callable[[], float]) -> None:
        self._conversation = conversation
        self._now = now

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None) -> None:
        """The peer connection is up."""
        self._tell(media_events.connected, participant_id, candidate_type, self._now())

    def media_gone(self, participant_id: str, reason: str) -> None:
        """The peer connection has ended."""
        self._tell(media_events.gone, participant_id, reason, self._now())

    def connection_began(self, participant_id: str) -> None:
        """An offer has begun a peer connection."""
        self._tell(media_events.connection_began, participant_id)

    def connection_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
        """A peer connection is over, whatever the reason."""
        self._tell(media_events.connection_ended, participant_id, reason, sent_received)

    def media_arriving(self, participant_id: str, arriving: bool) -> None:
        """RTP from this person has started or stopped to arrive."""
        self._tell(media_events.arriving, participant_id, arriving)

    def slots_changed(self, participant_id: str, slots: Sequence[SlotAssignment]) -> None:
        """Somebody else is in one of this listener's slots."""
        self._tell(media_events.slots_changed, participant_id, slots)

    def speakers_changed(self, room_id: str, speakers: Sequence[Speaker]) -> None:
        """Who speaks in the room."""
        self._tell(media_events.speakers_changed, room_id, speakers)

    def tone(self, participant_id: str, tone: str, duration: float) -> None:
        """This person has pressed a key."""
        self._tell(tones.heard, participant_id, tone, duration)

    def flooding(self, participant_id: str) -> None:
        """This person sends more packets than audio needs."""
        self._tell(media_events.flooding, participant_id)

    def _tell(self, handler: Callable[..., None], *arguments: object) -> None:
        """An observer must not raise: what goes wrong here is logged, and the media goes on."""
        try:
            handler(self._conversation(), *arguments)
        except Exception:
            _log.exception("media_event_failed", media_event=handler.__name__)
