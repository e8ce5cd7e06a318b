"""Who hears whom: pure functions from who speaks, and how loudly, to whom each listener hears in which slot.

Everyone, while there are slots enough; else the loudest K. Rules that come later (positions, whisper, stage) are rules
in `rank` and `assign`; nothing else decides. A person keeps a slot until somebody displaces them, so that slots do not
shuffle while people talk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

INCUMBENT_DB = 6.0
"""How much louder a newcomer must be than somebody who is heard already, both speaking."""


@dataclass(frozen=True, slots=True)
class MuteFlags:
    """The five mute flags of a participant, kept apart as in Mumble, and hold. The media path enforces them.

    `self_mute` and `self_deaf` are the participant's own; `mute` and `deaf` a moderator's; `suppressed` a rule's (not
    on stage, out of range). A participant's own unmute never lifts a moderator's mute. `held` stops both directions
    and leaves the five as they are.
    """

    self_mute: bool = False
    self_deaf: bool = False
    mute: bool = False
    deaf: bool = False
    suppressed: bool = False
    held: bool = False

    @property
    def may_speak(self) -> bool:
        """Whether anybody may receive this participant's audio."""
        return not (self.self_mute or self.mute or self.suppressed or self.held)

    @property
    def may_hear(self) -> bool:
        """Whether this participant may receive anybody's audio."""
        return not (self.self_deaf or self.deaf or self.held)


class Candidate(NamedTuple):
    """One person who could be heard, as the ranking sees them."""

    participant: str
    voiced: bool
    loudness: float
    """0 (silence) to 127 (loudest), smoothed."""
    last_voiced: float
    """Monotonic seconds; -inf for somebody who has not spoken yet."""


def rank(candidates: Iterable[Candidate], incumbents: frozenset[str] = frozenset()) -> list[str]:
    """Candidates in the order of their claim to a slot.

    First those who speak, the loudest first, where those heard already (`incumbents`) count as 6 dB louder; then the
    silent, the last to have spoken first. Ties keep the order given.
    """

    def claim(candidate: Candidate) -> tuple[bool, float]:
        if candidate.voiced:
            bonus = INCUMBENT_DB if candidate.participant in incumbents else 0.0
            return False, -(candidate.loudness + bonus)
        return True, -candidate.last_voiced

    return [candidate.participant for candidate in sorted(candidates, key=claim)]


def assign(ranking: Sequence[str], listener: str, current: Sequence[str | None]) -> list[str | None]:
    """Who is in each of a listener's slots, given who is now (`current`, one entry a slot).

    The first K of the ranking without the listener are heard. Whoever stays keeps their slot; newcomers take free
    slots from the first on. With fewer people than slots the rest stay empty.
    """
    capacity = len(current)
    wanted: list[str] = []
    for participant in ranking:
        if participant == listener:
            continue
        if len(wanted) == capacity:
            break
        wanted.append(participant)
    staying = set(wanted)
    slots = [participant if participant in staying else None for participant in current]
    placed = set(slots)
    newcomers = iter(participant for participant in wanted if participant not in placed)
    return [participant if participant is not None else next(newcomers, None) for participant in slots]
