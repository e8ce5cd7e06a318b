"""Who hears whom: the rules one by one, and 100,000 random rooms against an oracle that shares no code with them."""

import math
from itertools import product
from random import Random

import pytest

from sfu.selection import AS_SENT, EMPTY, INCUMBENT_DB, UNMUTED, MuteFlags, Sink, Talker, select

MUTED, DEAF = MuteFlags(mute=True), MuteFlags(deaf=True)


def talker(name, loudness=0.0, last_voiced=-math.inf, *, voiced=None, flags=UNMUTED):
    """Somebody who sends the stream of this number: 1 for a, 2 for b."""
    return Talker(name, flags, ord(name) - 96, loudness > 0 if voiced is None else voiced, loudness, last_voiced)


def places(text):
    return tuple(None if letter == "_" else letter for letter in text)


def ear(name, text, flags=UNMUTED):
    return Sink(name, flags, places(text))


def in_places(heard):
    return "".join(one.participant or "_" for one in heard)


def through(heard):
    """The streams that a sink carries."""
    return {one.stream for one in heard} - {None}


# -- rights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "may_speak", "may_hear"),
    [
        (MuteFlags(), True, True),
        (MuteFlags(self_mute=True), False, True),
        (MuteFlags(mute=True), False, True),
        (MuteFlags(suppressed=True), False, True),
        (MuteFlags(self_deaf=True), True, False),
        (MuteFlags(deaf=True), True, False),
        (MuteFlags(self_mute=True, mute=True, deaf=True), False, False),
        (MuteFlags(held=True), False, False),
        (MuteFlags(held=True, self_mute=True), False, False),
    ],
)
def test_what_each_flag_silences(flags, may_speak, may_hear):
    assert (flags.may_speak, flags.may_hear) == (may_speak, may_hear)
    room = [talker("a", flags=flags), talker("b")]
    _, (ana, ben), _ = select(room, [ear("a", "_", flags), ear("b", "_")])
    assert (in_places(ana), in_places(ben)) == ("b", "a"), "a mute or deafen takes no place away"
    assert (ben[0].allowed, through(ben)) == (may_speak, {1} if may_speak else set())
    assert (ana[0].allowed, through(ana)) == (may_hear, {2} if may_hear else set())


def test_a_talker_without_a_stream_is_heard_by_their_keys_only():
    room = [Talker("a"), Talker("m", MUTED)]
    _, (heard,), _ = select(room, [ear("b", "__")])
    assert [(one.participant, one.allowed, one.stream) for one in heard] == [("a", True, None), ("m", False, None)]


def test_a_sink_without_slots_carries_everybody_but_its_own_participant():
    room = [talker("a"), talker("b", flags=MUTED), talker("c", 60)]
    _, (journal, port, deaf), fewest = select(room, [Sink(), Sink("c"), Sink("x", DEAF)])
    assert [(in_places(one), through(one)) for one in (journal, port, deaf)] == [
        ("abc", {1, 3}),
        ("ab", {1}),
        ("abc", set()),
    ]
    assert fewest == 0


def test_a_place_without_a_talker_is_empty_and_a_voice_is_played_as_sent():
    _, (heard,), _ = select([talker("a")], [ear("b", "__")])
    assert heard == (heard[0], EMPTY)
    assert heard[0].gain == AS_SENT == 1.0


@pytest.mark.parametrize(
    ("people", "sizes", "fewest"),
    [(0, [], 0), (3, [2, 2, 2], 0), (3, [2, 1, 2], 1), (4, [8, 2, 0], 2), (3, [0, 0, 0], 0), (1, [1], 0)],
)
def test_levels_decide_only_where_places_are_fewer_than_others(people, sizes, fewest):
    names = "abcdefgh"[:people]
    sinks = [ear(name, "_" * size) for name, size in zip(names, sizes, strict=False)]
    assert select([talker(name) for name in names], [*sinks, Sink()]).fewest == fewest


# -- the order of claims --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("talkers", "incumbents", "ranking"),
    [
        ([], "", ""),
        ([talker("a"), talker("b"), talker("c")], "", "abc"),
        ([talker("a", 60), talker("b", 80), talker("c", 70)], "", "bca"),
        ([talker("a"), talker("b", 10)], "", "ba"),
        # The silent: the last to have spoken first.
        ([talker("a", 0, 1.0), talker("b", 0, 9.0), talker("c", 0, 5.0), talker("d")], "", "bcad"),
        # Somebody quiet who speaks comes before somebody loud who does not.
        ([talker("a", 90, 3.0, voiced=False), talker("b", 20)], "", "ba"),
        # Hysteresis: who is heard already counts as 6 dB louder, not more.
        ([talker("a", 70), talker("b", 75.9)], "a", "ab"),
        ([talker("a", 70), talker("b", 76.1)], "a", "ba"),
        ([talker("a", 70), talker("b", 75.9)], "b", "ba"),
        ([talker("a", 70), talker("b", 70)], "ab", "ab"),
        # A bonus is for speaking only.
        ([talker("a", 0, 1.0), talker("b", 0, 2.0)], "a", "ba"),
        # What a muted talker says, or one without a stream, is no claim.
        ([talker("a", 90, 9.0, flags=MUTED), talker("b", 0, 1.0), talker("c", 20)], "a", "cba"),
        ([Talker("a", voiced=True, loudness=90), talker("b", 20)], "a", "ba"),
    ],
)
def test_the_order_of_claims(talkers, incumbents, ranking):
    # A sink with a place for each incumbent: the first that many of the former ranking are those heard already.
    assert "".join(select(talkers, [ear("x", "_" * len(incumbents))], incumbents).ranking) == ranking


def test_two_of_like_loudness_do_not_take_turns():
    former, slot = (), ear("x", "_")
    for loudness in (68, 72, 69, 73):
        former, (heard,), _ = select([talker("a", 70), talker("b", loudness)], [slot], former)
        slot = ear("x", in_places(heard))
        assert in_places(heard) == "a"
    assert INCUMBENT_DB == 6.0


@pytest.mark.parametrize(
    ("ranking", "listener", "current", "wanted"),
    [
        ("", "a", "__", "__"),
        ("abc", "a", "__", "bc"),
        ("abc", "x", "__", "ab"),
        ("abc", "a", "", ""),
        ("ab", "a", "___", "b__"),
        # Whoever stays keeps the slot; the order of the ranking does not shuffle them.
        ("cba", "x", "abc", "abc"),
        ("dab", "x", "ab", "ad"),
        ("dba", "x", "ab", "db"),
        ("cdx", "x", "ab", "cd"),
        # Who has left makes room.
        ("bc", "x", "ab_", "cb_"),
        ("a", "a", "a", "_"),
    ],
)
def test_slots_of_a_listener(ranking, listener, current, wanted):
    talkers = [talker(name, last_voiced=-float(place), voiced=False) for place, name in enumerate(ranking)]
    selection = select(talkers, [ear(listener, current)])
    assert ("".join(selection.ranking), in_places(selection.sinks[0])) == (ranking, wanted)


# -- random rooms ---------------------------------------------------------------------------------------------------

FLAGS = [MuteFlags(*bits) for bits in product((False, True), repeat=6)]
CURRENT = [Random(number).sample(["a", "b", "c", "d", "e", None, None], number % 5) for number in range(512)]
"""Who is in a listener's slots, up to four, before the selection."""
FORMER = [Random(number).sample("abcdef", number % 7) for number in range(512)]
"""The ranking before; some in it have left."""

ROOMS = 100_000
CHUNK = 10_000


def random_room(chance):
    """Up to five people: (talkers, sinks, former ranking). States that no room can reach are among them."""
    bits = chance.getrandbits
    names = "abcdef"[: 1 + bits(16) % 5]
    # Each flag is set for one in eight; one in eight sends nothing; levels are few, so that ties are frequent.
    flags = {name: FLAGS[bits(6) & bits(6) & bits(6)] for name in names}
    talkers = []
    for number, name in enumerate(names):
        some = bits(12)
        stream = None if some & 7 == 0 else 100 + number
        talkers.append(Talker(name, flags[name], stream, bool(some & 8), 50 + 2.5 * (some >> 4 & 7), some >> 7 & 3))
    sinks = [Sink()]
    for name in names:
        current = tuple(None if one == name else one for one in CURRENT[bits(9)])
        sinks.append(Sink(name, flags[name], current))
    return talkers, sinks, FORMER[bits(9)]


def must_be_silent(flags):
    return flags.self_mute or flags.mute or flags.suppressed or flags.held


def must_not_hear(flags):
    return flags.self_deaf or flags.deaf or flags.held


def stands_before(one, other, order, known):
    """Whether one talker has a better claim to be heard than another. `known` are those heard already."""
    present, absent = (not (must_be_silent(who.flags) or who.stream is None) for who in (one, other))
    speaks, other_speaks = present and one.voiced, absent and other.voiced
    if speaks != other_speaks:
        return speaks
    if speaks:
        level = one.loudness + (6.0 if one.participant in known else 0.0)
        other_level = other.loudness + (6.0 if other.participant in known else 0.0)
        if level != other_level:
            return level > other_level
    elif present != absent:
        return present
    elif present and one.last_voiced != other.last_voiced:
        return one.last_voiced > other.last_voiced
    return order.index(one.participant) < order.index(other.participant)


def judge(talkers, sinks, former):
    """Hold a selection against the oracle: what each sink must carry is said for each talker by itself."""
    selection = select(talkers, sinks, former)
    order = [who.participant for who in talkers]
    slots = [len(sink.places) for sink in sinks if sink.places]
    known = former[: max(slots)] if slots else []
    before = {
        one.participant: {
            other.participant for other in talkers if other is not one and stands_before(other, one, order, known)
        }
        for one in talkers
    }
    assert len(selection.sinks) == len(sinks)
    for sink, heard in zip(sinks, selection.sinks, strict=True):
        others = [who for who in talkers if who.participant != sink.participant]
        count = len(others) if sink.places is None else len(sink.places)
        chosen = {who.participant for who in others if len(before[who.participant] - {sink.participant}) < count}
        placed = [one.participant for one in heard if one.participant is not None]
        assert sorted(placed) == sorted(chosen)
        delivered = sorted((one.participant, one.stream) for one in heard if one.stream is not None)
        assert delivered == sorted(
            (who.participant, who.stream)
            for who in others
            if who.participant in chosen
            and who.stream is not None
            and not must_be_silent(who.flags)
            and not must_not_hear(sink.flags)
        )
        if sink.places is not None:
            assert len(heard) == count
            assert all(now.participant == was for was, now in zip(sink.places, heard, strict=True) if was in chosen)


@pytest.mark.parametrize("first", range(0, ROOMS, CHUNK))
def test_in_100_000_random_rooms_nobody_hears_what_is_forbidden_and_everybody_hears_what_is_due(first):
    chance = Random()
    for number in range(first, first + CHUNK):
        chance.seed(number)
        room = random_room(chance)
        try:
            judge(*room)
        except AssertionError as failure:
            raise AssertionError(f"room {number}: {room}") from failure
