"""Which voices each participant hears: one pure function, `select`, from rights, flags and levels to the content of
every sink.

A *talker* is a participant as a source of sound, a *sink* is anything that hears: the slots of a participant, a
journal, a port to a service. `select` alone decides; `sfu/room.py` carries its result out, and the packet step only
walks the tables that follow from it. A rule to come (whisper, stage, positions) is another input of this function.

The rules of today, in this order:

1. A participant hears neither themselves nor a talker who may not speak, and no talker at all while they may not hear
   (`MuteFlags`).
2. A sink with places enough carries every talker. Otherwise it carries the loudest of those who speak, then those who
   spoke last. A talker who is heard already counts as 6 dB louder (`INCUMBENT_DB`).
3. A talker who stays keeps their place, so that slots do not shuffle while people talk. A mute takes no place away.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

INCUMBENT_DB = 6.0
"""How much louder a newcomer must be than a talker who is heard already, while both speak."""

AS_SENT = 1.0
"""The gain of a voice that is to be played as it was sent."""


@dataclass(frozen=True, slots=True)
class MuteFlags:
    """What silences one participant, kept apart as in Mumble; the media path enforces all of it.

    `self_mute` and `self_deaf` are the participant's own, `mute` and `deaf` a moderator's. `suppressed` comes from a
    rule of the room. `held` is the participant's own, too: nothing goes to or from a participant on hold, and the other
    five stay as they are meanwhile. The rights of a token come as flags, too: without `canPublish` its bearer is
    `suppressed`, without `canSubscribe` `deaf`.
    """

    self_mute: bool = False
    self_deaf: bool = False
    mute: bool = False
    deaf: bool = False
    suppressed: bool = False
    held: bool = False

    @property
    def may_speak(self) -> bool:
        """Whether any sink may carry this participant's audio."""
        return not (self.self_mute or self.mute or self.suppressed or self.held)

    @property
    def may_hear(self) -> bool:
        """Whether this participant's own sinks may carry any audio."""
        return not (self.self_deaf or self.deaf or self.held)


UNMUTED = MuteFlags()


class Talker(NamedTuple):
    """One participant as a source of sound: their flags, the stream that stands for them, and its level."""

    participant: str
    flags: MuteFlags = UNMUTED
    stream: int | None = None
    """Id of the inbound stream; None while the participant sends none."""
    voiced: bool = False
    loudness: float = 0.0
    """0 (silence) to 127 (loudest), smoothed."""
    last_voiced: float = -math.inf
    """Monotonic seconds; -inf for a talker who has not spoken yet."""


class Sink(NamedTuple):
    """One thing that hears."""

    participant: str | None = None
    """Whose ear it is. None: it stands for no participant (a journal, a probe)."""
    flags: MuteFlags = UNMUTED
    places: tuple[str | None, ...] | None = None
    """The talker in each slot now. None: the sink takes any number of talkers, and has no slots."""


class Heard(NamedTuple):
    """What one place of a sink carries."""

    participant: str | None
    """The talker who has the place, heard or not: a muted talker keeps it."""
    allowed: bool
    """Whether anything of the talker may pass, telephone events included."""
    stream: int | None
    """The inbound stream to forward. None: nothing may pass, or nothing is sent."""
    gain: float = AS_SENT
    """A hint for the receiver."""


EMPTY = Heard(None, False, None)
_NONE: frozenset[str] = frozenset()


class Selection(NamedTuple):
    """What `select` decides."""

    ranking: tuple[str, ...]
    """All talkers, in the order of their claim to a place. The next call takes it as `former`."""
    sinks: tuple[tuple[Heard, ...], ...]
    """What each sink carries, in the order of the sinks: one entry a place, or one a talker where it has no slots."""
    fewest: int
    """The places of the sink that has fewest, where some sink has fewer than there are others to hear; else 0.

    Only where it is not 0 do levels decide who is heard.
    """


def select(talkers: Sequence[Talker], sinks: Sequence[Sink], former: Sequence[str] = ()) -> Selection:
    """Decide what every sink carries. `former` is the ranking of the last selection in this room."""
    sizes = [len(sink.places) for sink in sinks if sink.places]
    passing = {talker.participant: _passing(talker) for talker in talkers}
    ranking = _rank(talkers, passing, frozenset(former[: max(sizes, default=0)]))
    stopped = {participant: Heard(participant, False, None) for participant in passing}
    firsts = {size: frozenset(ranking[:size]) for size in sizes}
    carried = []
    for participant, flags, places in sinks:
        heard = passing if flags.may_hear else stopped
        if places is None:
            carried.append(tuple([one for one in heard.values() if one.participant != participant]))
            continue
        size = len(places)
        wanted, first = ranking[:size], firsts.get(size, _NONE)
        if participant in first:
            wanted = tuple([one for one in ranking[: size + 1] if one != participant])
            first = frozenset(wanted)
        placed = _place(places, wanted, first)
        carried.append(tuple([EMPTY if one is None else heard[one] for one in placed]))
    fewest = min(sizes, default=0)
    return Selection(ranking, tuple(carried), fewest if fewest < len(talkers) - 1 else 0)


def _passing(talker: Talker) -> Heard:
    """What a sink that may hear carries of a talker."""
    allowed = talker.flags.may_speak
    return Heard(talker.participant, allowed, talker.stream if allowed else None)


def _rank(talkers: Iterable[Talker], passing: Mapping[str, Heard], incumbents: frozenset[str]) -> tuple[str, ...]:
    """Talkers in the order of their claim to a place.

    First those who speak, the loudest first, where those heard already (`incumbents`) count as louder; then the silent,
    the last to have spoken first. Ties keep the order given.
    """

    def claim(talker: Talker) -> tuple[bool, float]:
        participant, _, _, voiced, loudness, last_voiced = talker
        if passing[participant].stream is None:
            return True, math.inf
        if voiced:
            return False, -(loudness + INCUMBENT_DB if participant in incumbents else loudness)
        return True, -last_voiced

    return tuple([talker.participant for talker in sorted(talkers, key=claim)])


def _place(current: Iterable[str | None], wanted: Iterable[str], staying: frozenset[str]) -> list[str | None]:
    """The talker in each of a listener's places: those of `current` who are wanted stay, others take free places.

    `staying` is the set of `wanted`. With fewer talkers than places the rest stay empty.
    """
    places = [participant if participant in staying else None for participant in current]
    if None in places:
        placed = set(places)
        newcomers = iter([participant for participant in wanted if participant not in placed])
        places = [next(newcomers, None) if participant is None else participant for participant in places]
    return places
