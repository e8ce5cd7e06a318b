"""What signaling asks of the media server."""

from typing import Protocol

from sfu.dtmf import Keys
from sfu.opus import USUAL, OpusWishes
from sfu.selection import MuteFlags


class MediaPort(Protocol):
    """The part of `sfu.server.MediaServer` that a conversation uses. None of it waits."""

    def add_participant(self, room_id: str, participant_id: str, flags: MuteFlags) -> None:
        """Somebody has come; an offer may follow."""

    def remove_participant(self, participant_id: str) -> None:
        """Somebody has gone, and its endpoint with it. Does nothing for who is not there."""

    def move_participant(self, participant_id: str, room_id: str, flags: MuteFlags) -> None:
        """Somebody goes to another room, with the same peer connection."""

    def set_flags(self, participant_id: str, flags: MuteFlags) -> None:
        """Silence or unsilence, from the next packet on."""

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        """Send DTMF tones as this participant; False where too many wait already."""

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        """The answer to a first offer, a changed one or an ICE restart; `opus` is asked of the client's encoder.

        Raises sfu.errors.BadOffer.
        """

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        """One of the client's ICE candidates, for diagnosis. Raises sfu.errors.BadOffer."""

    def gauges(self) -> dict[str, float]:
        """Readings, among them `loop_lag_seconds`."""
