"""The observer to which the SFU reports: called on the event loop, must not raise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sfu.offer import CandidateType


@dataclass(frozen=True, slots=True)
class SlotAssignment:
    """Which participant is heard through the slot of m-line `mid`; `gain` is a hint (1.0 = as sent)."""

    mid: str
    participant: str | None
    gain: float = 1.0


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who is speaking. `level` is linear, 0..1, as the W3C's audioLevel."""

    participant: str
    level: float


class MediaObserver(Protocol):
    """The SFU's only way upwards."""

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None) -> None:
        """The peer connection is up: ICE checked, DTLS done, keys in place. By which kind of candidate, is said too."""

    def media_gone(self, participant_id: str, reason: str) -> None:
        """The peer connection has ended: consent_expired, dtls_failed, dtls_timeout, closed_by_peer or flood."""

    def connection_began(self, participant_id: str) -> None:
        """An offer has begun a peer connection; an earlier one of this participant has ended."""

    def connection_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
        """A peer connection is over: as in `media_gone`, or `replaced` by another one, or its person has `left`.

        `sent_received` are the octets each way. For one that has ended by itself `media_gone` follows.
        """

    def media_arriving(self, participant_id: str, arriving: bool) -> None:
        """RTP from this person has started or stopped to arrive."""

    def slots_changed(self, participant_id: str, slots: Sequence[SlotAssignment]) -> None:
        """Somebody else is in one of this listener's slots; all of them are named."""

    def speakers_changed(self, room_id: str, speakers: Sequence[Speaker]) -> None:
        """Who speaks in the room, loudest first; told on change, at most a few times a second."""

    def tone(self, participant_id: str, tone: str, duration: float) -> None:
        """This person has pressed a key, one of `dtmf.TONES`, for so many seconds; told once, when it is over."""

    def flooding(self, participant_id: str) -> None:
        """This person sends more packets than audio needs; the surplus is dropped."""
