"""The reports on a slot, divided among its talkers: a slot, its listener and the way between them, in plain numbers."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.delivery import MOST_SPANS, Attribution, Delivery, divide
from quality.interval import between
from quality.send import RemoteReceiveStatistics
from quality.sequence import MAX_CUMULATIVE_LOST, PacketCount

SIZE = 80


@dataclass(frozen=True)
class Block:
    fraction_lost_octet: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    interarrival_jitter: int = 0
    last_sender_report: int = 0
    delay_since_last_sender_report: int = 0


class Slot:
    """A slot that numbers its packets from `first` on, and the listener at its end.

    `numbers` has the talker of each number that was used. The listener counts cycles from `cycle` on.
    """

    def __init__(self, first=0x7FF0, cycle=0):
        self.first = self.next = first
        self.cycle = cycle << 16
        self.sent = self.heard = 0
        self.highest_heard = None
        self.talker = None
        self.numbers = {}
        self.attribution = Attribution(self, first)
        self.remote = RemoteReceiveStatistics(48_000)
        self.deliveries = {}
        self.now = 0.0

    def totals(self):
        return self.sent, self.sent * SIZE

    def switch(self, talker):
        self.talker = talker
        delivery = None if talker is None else self.deliveries.setdefault(talker, Delivery())
        self.attribution.switch(delivery, self.next)

    def send(self, packets=1, *, arriving=True, sent=True):
        """The talker's next packets: sent or lost on the talker's own way; arriving or lost on the listener's."""
        for _ in range(packets):
            self.numbers[self.next] = self.talker
            self.sent += sent
            if sent and arriving:
                self.heard += 1
                self.highest_heard = self.next
            self.next += 1

    def late(self, packets=1):
        """Packets that were missing come after all, and reach the listener."""
        self.sent += packets
        self.heard += packets

    @property
    def lost(self):
        return self.highest_heard - self.first + 1 - self.heard

    def report(self, **changes):
        """The listener's report, RFC 3550 section 6.4.1, five seconds after the last."""
        self.now += 5.0
        if self.highest_heard is None:
            return
        fields = {"highest_sequence": self.highest_heard + self.cycle & 0xFFFFFFFF, "cumulative_lost": self.lost}
        self.remote.update(Block(**(fields | changes)), 0, self.now)
        self.attribution.report(self.remote, self.next - 1, self.now)

    def read(self, talker):
        return self.deliveries[talker].snapshot(talker, "ana", self.now)


TALKERS = st.sampled_from(["ben", "cleo", "dora", None])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 40)),
        st.tuples(st.just("lose"), st.integers(1, 10)),
        st.tuples(st.just("miss"), st.integers(1, 10)),
        st.tuples(st.just("switch"), TALKERS),
        st.tuples(st.just("report"), st.none()),
    ),
    max_size=60,
)


def play(slot, steps):
    """Let it happen; after each step, yield."""
    slot.switch("ben")
    for kind, value in steps:
        if kind == "switch":
            slot.switch(value)
        elif kind == "report":
            slot.report()
        elif slot.talker is not None:
            slot.send(value, arriving=kind != "lose", sent=kind != "miss")
        yield kind
    slot.report()
    yield "report"


@given(steps=STEPS, first=st.integers(0, 0x7FFF), cycle=st.integers(0, 0xFFFF))
def test_each_reported_packet_belongs_to_exactly_one_talker(steps, first, cycle):
    slot = Slot(first, cycle)
    slot.report()
    for kind in play(slot, steps):
        if kind != "report" or slot.highest_heard is None:
            continue
        covered = Counter(talker for number, talker in slot.numbers.items() if number <= slot.highest_heard)
        for talker, delivery in slot.deliveries.items():
            assert delivery.acknowledged == covered[talker]
        assert sum(delivery.lost for delivery in slot.deliveries.values()) == slot.lost
        received = sum(delivery.packets.received for delivery in slot.deliveries.values())
        assert received == slot.heard


@given(steps=STEPS)
def test_what_was_forwarded_belongs_to_the_talker_it_came_from(steps):
    slot = Slot()
    forwarded = Counter()
    before = 0
    for _ in play(slot, steps):
        forwarded[slot.talker] += slot.sent - before
        before = slot.sent
        for talker in slot.deliveries:
            assert slot.read(talker).forwarded == forwarded[talker]
            assert slot.read(talker).octets == forwarded[talker] * SIZE


@given(steps=STEPS)
def test_totals_only_grow_and_intervals_add_up_for_any_number_of_readers(steps):
    slot = Slot()
    readings = {}
    for _ in play(slot, steps):
        for talker in slot.deliveries:
            readings.setdefault(talker, []).append(slot.read(talker))
    for kept in readings.values():
        for pace in (1, 2, 3, 7):
            reader = [*kept[:-1:pace], kept[-1]]
            intervals = [between(*pair) for pair in pairwise(reader)]
            whole = sum((one.packets for one in intervals), PacketCount())
            assert whole == kept[-1].packets - kept[0].packets
            assert sum(one.octets for one in intervals) == kept[-1].octets - kept[0].octets
            assert all(one.packets.expected >= 0 <= one.packets.received for one in intervals)


UPLINK_STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "miss", "switch", "report"]), st.integers(1, 30)), max_size=50
)


@given(steps=UPLINK_STEPS)
def test_what_the_talkers_own_way_lost_is_no_loss_of_ours(steps):
    slot = Slot()
    steps = [(kind, "bcd"[value % 3] if kind == "switch" else value) for kind, value in steps]
    # The last packet arrives, so that the report covers everything.
    for _ in play(slot, [*steps, ("switch", "ben"), ("send", 1)]):
        pass
    for talker, delivery in slot.deliveries.items():
        assert delivery.packets.lost == 0
        assert delivery.unsent == delivery.lost
        assert delivery.packets.received == slot.read(talker).forwarded


def test_each_talker_has_the_loss_of_its_own_time_in_the_slot():
    slot = Slot()
    slot.switch("ben")
    slot.send(50)
    slot.report()
    slot.switch("cleo")
    slot.send(30)
    slot.send(10, arriving=False)
    slot.send(10)
    slot.report()
    assert slot.read("ben").packets == PacketCount(50, 50)
    assert slot.read("cleo").packets == PacketCount(50, 40)
    assert slot.deliveries["cleo"].fraction_lost == 0.2
    slot.switch("ben")
    slot.send(50)
    slot.report()
    assert slot.read("ben").packets == PacketCount(100, 100)
    assert slot.deliveries["ben"].fraction_lost == 0.0


def test_a_loss_between_two_reports_is_divided_by_the_packets_of_each():
    slot = Slot()
    slot.switch("ben")
    slot.send(90)
    slot.switch("cleo")
    slot.send(20, arriving=False)
    slot.send(10)
    slot.report()
    # The report does not say whose they were.
    assert slot.read("ben").packets == PacketCount(90, 75)
    assert slot.read("cleo").packets == PacketCount(30, 25)


def test_a_gap_explains_a_loss_before_the_way_to_the_listener_does():
    slot = Slot()
    slot.switch("ben")
    slot.send(40)
    slot.send(10, sent=False)
    slot.send(50)
    slot.switch("cleo")
    slot.send(100)
    slot.report()
    assert slot.read("ben").packets == PacketCount(90, 90)
    assert (slot.read("ben").lost_in_all, slot.read("ben").forwarded) == (10, 90)
    assert slot.read("cleo").packets == PacketCount(100, 100)


def test_numbers_from_before_the_first_packet_ever_are_counted_by_nobody():
    slot = Slot()
    slot.switch("ben")
    slot.send(3, sent=False)
    slot.attribution.begin(slot.next)
    slot.first = slot.next
    slot.send(10)
    slot.report()
    assert slot.read("ben").packets == PacketCount(10, 10)
    assert slot.read("ben").forwarded == 10


def test_a_late_packet_heals_the_loss_that_it_was_taken_for():
    slot = Slot()
    slot.switch("ben")
    slot.send(40)
    slot.send(2, sent=False)
    slot.send(8)
    slot.report()
    assert slot.read("ben").packets == PacketCount(48, 48)
    slot.late(2)
    slot.report()
    assert slot.read("ben").packets == PacketCount(50, 50)
    assert slot.read("ben").lost_in_all == 0


def test_can_ana_hear_ben():
    slot = Slot()
    slot.switch("ben")
    slot.send(50)
    assert (slot.read("ben").heard_at, slot.read("ben").highest_acknowledged) == (None, None)
    slot.report(interarrival_jitter=480)
    reading = slot.read("ben")
    assert (reading.talker, reading.listener, reading.heard_at) == ("ben", "ana", 5.0)
    assert (reading.highest_acknowledged, reading.jitter) == (slot.next - 1, 0.01)
    slot.send(50, arriving=False)
    slot.report()
    assert slot.read("ben").heard_at == 5.0
    assert slot.read("ben").forwarded - reading.forwarded == 50
    slot.send(1)
    slot.report()
    assert slot.read("ben").heard_at == 15.0
    assert slot.deliveries["ben"].fraction_lost == 50 / 51


def test_rfc3550_6_4_1_the_round_trip_is_that_of_the_talkers_last_report():
    slot = Slot()
    slot.switch("ben")
    slot.send(10)
    slot.report(last_sender_report=0xFFFF_0000, delay_since_last_sender_report=0)
    assert slot.read("ben").round_trip_time == 1.0
    slot.switch("cleo")
    slot.report()
    assert slot.deliveries["cleo"].reported_at is None


def test_a_report_of_nothing_new_says_that_nothing_is_lost_now():
    slot = Slot()
    slot.switch("ben")
    slot.send(10, arriving=False)
    slot.send(10)
    slot.report()
    assert slot.deliveries["ben"].fraction_lost == 0.5
    slot.report()
    assert (slot.deliveries["ben"].fraction_lost, slot.deliveries["ben"].reported_at) == (0.0, 10.0)
    assert slot.read("ben").packets == PacketCount(20, 10)


@pytest.mark.parametrize(
    "false",
    [{"highest_sequence": 0x8100}, {"highest_sequence": 0x7000}, {"highest_sequence": 0xFFFF_FFFF}],
)
def test_a_report_of_what_was_not_sent_or_is_old_changes_nothing(false):
    slot = Slot()
    slot.switch("ben")
    slot.send(20)
    slot.report()
    before = slot.read("ben")
    slot.send(20)
    slot.report(**false)
    after = slot.read("ben")
    assert (after.packets, after.heard_at) == (before.packets, before.heard_at)
    slot.report()
    assert slot.read("ben").packets == PacketCount(40, 40)


def test_a_listener_that_hears_nothing_for_a_whole_cycle_acknowledges_nothing():
    slot = Slot()
    slot.switch("ben")
    slot.send(10)
    slot.report()
    for _ in range(20):
        slot.send(5000, arriving=False)
        slot.report()
    assert slot.read("ben").packets == PacketCount(10, 10)
    slot.send(1)
    slot.report()
    assert slot.read("ben").packets == PacketCount(100_011, 11)


def test_a_listener_that_counts_anew_is_believed_by_its_fraction():
    slot = Slot()
    slot.switch("ben")
    slot.send(500)
    slot.send(500, arriving=False)
    slot.send(100)
    slot.report()
    assert slot.read("ben").packets == PacketCount(1100, 600)
    slot.send(100)
    slot.report(cumulative_lost=10, highest_sequence=(slot.next - 1) & 0xFFFF, fraction_lost_octet=64)
    assert slot.read("ben").packets == PacketCount(1200, 675)
    slot.send(100)
    slot.report(cumulative_lost=MAX_CUMULATIVE_LOST, fraction_lost_octet=128)
    assert slot.read("ben").packets == PacketCount(1300, 725)


@given(reports=st.lists(st.tuples(st.integers(-0x800000, 0x7FFFFF), st.integers(0, 0xFFFFFFFF)), max_size=30))
def test_a_listener_that_lies_loses_no_more_than_it_was_sent_and_no_total_falls(reports):
    slot = Slot()
    slot.switch("ben")
    before = PacketCount()
    for number, (lost, highest) in enumerate(reports):
        slot.send(50)
        if number % 5 == 4:
            slot.switch("ben" if slot.talker == "cleo" else "cleo")
        slot.report(cumulative_lost=lost, highest_sequence=highest)
        counts = [delivery.packets for delivery in slot.deliveries.values()]
        whole = sum(counts, PacketCount())
        assert 0 <= whole.expected <= slot.next - slot.first
        assert whole.expected >= before.expected
        assert whole.received >= before.received
        before = whole


def test_without_reports_the_oldest_switches_are_given_up():
    slot = Slot()
    slot.switch("ben")
    slot.send(3)
    for number in range(MOST_SPANS + 10):
        slot.switch("cleo" if number % 2 else "dora")
        slot.send(3)
    slot.report()
    deliveries = slot.deliveries
    assert deliveries["ben"].packets == PacketCount()
    assert slot.read("ben").forwarded == 3
    assert sum(delivery.acknowledged for delivery in deliveries.values()) == 3 * MOST_SPANS
    slot.send(7)
    slot.report()
    assert sum(delivery.acknowledged for delivery in deliveries.values()) == 3 * MOST_SPANS + 7


@given(total=st.integers(-1000, 1000), weights=st.lists(st.integers(0, 500), min_size=1, max_size=8))
def test_a_loss_is_divided_into_whole_packets_that_add_up(total, weights):
    parts = divide(total, weights)
    assert sum(parts) == total
    if 0 <= total <= sum(weights):
        assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
