"""The short form of `python -m tests.fuzz`: some thousand inputs for each parser, the same ones every time."""

import random

import pytest

from tests.fuzz import targets
from tests.fuzz.mutators import mutate_json, mutate_lines, mutate_octets
from tests.fuzz.targets import NAMES_OF_TARGETS, Find, fuzz, target

COUNT = {"sdp": 1000}
USUALLY = 4000


@pytest.mark.parametrize("name", NAMES_OF_TARGETS)
def test_nothing_leaves_a_parser_but_its_own_error(name: str) -> None:
    outcome = fuzz(name, range(COUNT.get(name, USUALLY)), seed=0)
    # Input that is always or never taken would reach half of a parser only.
    assert outcome.taken > 10
    assert outcome.refused > 10


@pytest.mark.parametrize("name", NAMES_OF_TARGETS)
def test_what_is_spoilt_was_good(name: str) -> None:
    chosen = target(name)
    assert sum(map(chosen.check, chosen.seeds)) >= len(chosen.seeds) - 1


def test_a_find_names_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(given: bytes) -> bool:
        return given[1] > 0

    chosen = targets.Target([b"\x01\x02"], lambda seeds, chance: seeds[0][: chance.randrange(3)], careless)
    monkeypatch.setattr(targets, "target", lambda name: chosen)
    with pytest.raises(Find, match=r"rtp, seed 1, number \d+: IndexError.*\n.*b'"):
        fuzz("rtp", range(50), seed=1)


def test_a_number_makes_the_same_input_again() -> None:
    for name in NAMES_OF_TARGETS:
        chosen = target(name)
        assert chosen.spoil(chosen.seeds, random.Random(7)) == chosen.spoil(chosen.seeds, random.Random(7))


def test_mutators_take_anything() -> None:
    for number in range(2000):
        chance = random.Random(number)
        assert isinstance(mutate_octets(b"", chance), bytes)
        assert isinstance(mutate_octets(chance.randbytes(3), chance, [b"x", b""]), bytes)
        assert isinstance(mutate_lines("", chance), str)
        assert isinstance(mutate_json("", chance), str)
