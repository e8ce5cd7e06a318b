import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.selection import INCUMBENT_DB, Candidate, MuteFlags, assign, rank


def person(name, loudness=0.0, last_voiced=-math.inf, *, voiced=None):
    return Candidate(name, loudness > 0 if voiced is None else voiced, loudness, last_voiced)


@pytest.mark.parametrize(
    ("candidates", "incumbents", "ranking"),
    [
        ([], "", ""),
        ([person("a"), person("b"), person("c")], "", "abc"),
        ([person("a", 60), person("b", 80), person("c", 70)], "", "bca"),
        ([person("a"), person("b", 10)], "", "ba"),
        # The silent: the last to have spoken first.
        ([person("a", 0, 1.0), person("b", 0, 9.0), person("c", 0, 5.0), person("d")], "", "bcad"),
        # Somebody quiet who speaks comes before somebody loud who does not.
        ([person("a", 90, 3.0, voiced=False), person("b", 20)], "", "ba"),
        # Hysteresis: who is heard already counts as 6 dB louder, not more.
        ([person("a", 70), person("b", 75.9)], "a", "ab"),
        ([person("a", 70), person("b", 76.1)], "a", "ba"),
        ([person("a", 70), person("b", 75.9)], "b", "ba"),
        ([person("a", 70), person("b", 70)], "ab", "ab"),
        # A bonus is for speaking only.
        ([person("a", 0, 1.0), person("b", 0, 2.0)], "a", "ba"),
    ],
)
def test_the_order_of_claims(candidates, incumbents, ranking):
    assert "".join(rank(candidates, frozenset(incumbents))) == ranking


def test_two_of_like_loudness_do_not_take_turns():
    heard = frozenset("a")
    for loudness in (68, 72, 69, 73):
        first = rank([person("a", 70), person("b", loudness)], heard)[0]
        heard = frozenset(first)
        assert first == "a"
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
    def slots(text):
        return [None if letter == "_" else letter for letter in text]

    assert assign(list(ranking), listener, slots(current)) == slots(wanted)


PEOPLE = st.permutations("abcdefgh").flatmap(lambda order: st.integers(0, 8).map(lambda count: order[:count]))


@given(PEOPLE, st.sampled_from("abcdefgh"), PEOPLE, st.integers(0, 4))
def test_nobody_hears_themself_and_everybody_is_heard_where_there_are_slots(ranking, listener, heard, empty):
    current = [one for one in heard if one != listener] + [None] * empty
    wanted = assign(ranking, listener, current)
    others = [one for one in ranking if one != listener]
    placed = [one for one in wanted if one is not None]
    assert len(wanted) == len(current)
    assert sorted(placed) == sorted(others[: len(current)])
    assert assign(ranking, listener, wanted) == wanted
    assert all(after == before for before, after in zip(current, wanted, strict=True) if before in placed)


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
