from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import REORDER_HOLD, Burst, Heard, Wire, play


@dataclass(frozen=True)
class Datagram:
    data: bytes
    to: str


class Talker:
    """Sends a numbered datagram every 20 ms and yields what it hears."""

    def __init__(self, to, packets):
        self.to, self.left, self.next = to, packets, 0.0
        self.out = []
        self.sources = []
        self.number = 0

    def receive(self, datagram, source, now):
        self.sources.append(source)
        self.out.append(int.from_bytes(datagram, "big"))

    def advance(self, now):
        self.out.append(Datagram(self.number.to_bytes(4, "big"), self.to))
        self.number += 1
        self.left -= 1
        self.next += 0.02

    def deadline(self):
        return self.next if self.left else None

    def drain(self):
        out, self.out = self.out, []
        return out


def talk(wire, packets=500, until=60.0):
    ends = {"ana": Talker("ben", packets), "ben": Talker("ana", 0)}
    return ends, play(ends, wire, until)


def numbers(heard):
    return [one.event for one in heard if one.end == "ben"]


def test_a_perfect_wire_delivers_everything_in_order_after_its_delay():
    wire = Wire(seed=1, delay=0.03)
    _, heard = talk(wire, packets=3)
    assert numbers(heard) == [0, 1, 2]
    assert [one.at for one in heard] == pytest.approx([0.03, 0.05, 0.07])
    assert (wire.carried, wire.delivered, wire.lost) == (3, 3, 0)
    assert wire.clock.now == 60.0


@given(seed=st.integers(0, 10_000))
def test_the_same_seed_is_the_same_network(seed):
    first, second = (
        talk(Wire(seed=seed, loss=0.2, jitter=0.05, duplicate=0.1, reorder=0.1, burst=Burst(0.1, 0.4)), packets=60)[1]
        for _ in range(2)
    )
    assert first == second


@given(seed=st.integers(0, 10_000), loss=st.floats(0, 1), duplicate=st.floats(0, 1))
def test_every_datagram_is_accounted_for(seed, loss, duplicate):
    wire = Wire(seed=seed, loss=loss, duplicate=duplicate, jitter=0.1, reorder=0.2)
    talk(wire, packets=50)
    assert wire.delivered == wire.carried - wire.lost + wire.duplicated
    assert wire.next_arrival() is None


def test_loss_is_near_its_chance():
    wire = Wire(seed=2, loss=0.2)
    _, heard = talk(wire, packets=5000, until=200.0)
    assert 0.18 < 1 - len(numbers(heard)) / 5000 < 0.22


def test_a_burst_loses_packets_together():
    wire = Wire(seed=3, burst=Burst(enter=0.02, leave=0.2))
    _, heard = talk(wire, packets=5000, until=200.0)
    got = numbers(heard)
    gaps = [after - before - 1 for before, after in pairwise(got) if after - before > 1]
    assert 0.05 < 1 - len(got) / 5000 < 0.14
    assert 3.5 < sum(gaps) / len(gaps) < 7


def test_duplicates_come_twice():
    _, heard = talk(Wire(seed=4, duplicate=1.0), packets=10)
    assert set(Counter(numbers(heard)).values()) == {2}


def test_jitter_below_the_spacing_keeps_order_and_reorder_does_not():
    _, heard = talk(Wire(seed=5, jitter=0.019))
    assert numbers(heard) == sorted(numbers(heard))
    _, heard = talk(Wire(seed=5, reorder=0.1))
    assert numbers(heard) != sorted(numbers(heard))
    assert sorted(numbers(heard)) == list(range(500))
    assert REORDER_HOLD > 0.04


def test_a_blackout_swallows_what_is_sent_in_it():
    wire = Wire(seed=6, blackouts=[(1.0, 2.0)])
    _, heard = talk(wire, packets=150)
    assert 49 <= wire.lost <= 51
    assert all(number < 51 or number > 99 for number in numbers(heard))


def test_a_rebinding_changes_the_address_that_others_see():
    wire = Wire(seed=7)
    ends = {"ana": Talker("ben", 2), "ben": Talker("ana", 0)}
    play(ends, wire, 0.01)
    wire.rebind("ana", "ana-2")
    ends["ben"].out.append(Datagram(b"\1", "ana"))
    ends["ben"].out.append(Datagram(b"\2", "ana-2"))
    heard = play(ends, wire, 1.0)
    assert ends["ben"].sources == ["ana", "ana-2"]
    assert [one.event for one in heard if one.end == "ana"] == [2]
    assert wire.undeliverable == 1


def test_a_datagram_to_nobody_is_counted():
    wire = Wire(seed=8)
    play({"ana": Talker("nobody", 1)}, wire, 1.0)
    assert wire.undeliverable == 1


def test_a_second_play_goes_on_where_the_first_ended():
    wire = Wire(seed=9, delay=0.5)
    ends = {"ana": Talker("ben", 1), "ben": Talker("ana", 0)}
    assert play(ends, wire, 0.4) == []
    assert wire.clock.now == 0.4
    assert play(ends, wire, 1.0) == [Heard(0.5, "ben", 0)]


def test_an_engine_whose_deadline_never_moves_is_named():
    class Stuck(Talker):
        def advance(self, now):
            pass

    with pytest.raises(AssertionError, match="stuck-one"):
        play({"stuck-one": Stuck("ben", 1)}, Wire(seed=10), 1.0)
