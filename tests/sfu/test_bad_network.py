"""A call over a bad network: endpoints, room and SRTP opposite people who check, talk and report, in virtual time.

A failure is a seed. Every voice says who speaks and which packet it is, so that what was heard can be judged.
"""

import itertools
import math
from collections import defaultdict

import pytest

from quality.interval import between
from quality.sequence import nearest
from sfu.endpoint import Arriving, Gone
from sfu.ice import CONSENT, AddressBound, CredentialsForgotten, SelectedMoved, Source
from sfu.offer import IceParameters
from sfu.rtcp import ReceiverReport, SenderReport
from sfu.statistics import deliveries
from tests.support.check_client import SERVER, Datagram
from tests.support.ears import FRAME
from tests.support.room_end import RoomEnd, Told
from tests.support.wire import Burst, Wire, play


class Call:
    """People in one room who all talk from 1 s on; the wire is as it should be until 2 s."""

    def __init__(self, names, seed=1, slots=4, **people):
        self.wire = Wire(seed)
        self.server = RoomEnd(seed, slots)
        self.people, self.ends, self.told = {}, {SERVER: self.server}, []
        self.addresses = {}
        for number, name in enumerate(names, 1):
            address, person = self.server.admit(name, number)
            self.people[name], self.ends[address], self.addresses[name] = person, person, address
            for key, value in people.items():
                setattr(person, key, value)
            person.talk(1.0 + number / 1000)
        self.play(2.0)

    def play(self, until):
        for heard in play(self.ends, self.wire, until):
            assert isinstance(heard.event, Told)
            self.told.append((heard.at, heard.event.participant, heard.event.event))

    def events(self, kind):
        return [(at, name, event) for at, name, event in self.told if isinstance(event, kind)]

    def voices(self, listener):
        """By slot: (arrival, unwrapped sequence, unwrapped timestamp, who, number, marker) as they arrived."""
        voices = {}
        for ssrc, packets in self.people[listener].heard.items():
            voices[ssrc] = []
            sequence = timestamp = 0
            for at, packet in packets:
                who, number = packet.payload.decode().split(":")
                sequence = nearest(packet.sequence, sequence or packet.sequence)
                timestamp += (packet.rtp_timestamp - timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
                voices[ssrc].append((at, sequence, timestamp, who, int(number), packet.marker))
        return voices

    def judge(self):
        """What holds on any network where everybody has a slot for everybody."""
        assert self.server.out.failed == 0, "an SRTP sequence number was used twice"
        assert self.events(Gone) == []
        for name in self.people:
            self.judge_listener(name)

    def judge_listener(self, name):
        voices = self.voices(name)
        assert {who for packets in voices.values() for _, _, _, who, _, _ in packets} == set(self.people) - {name}
        for packets in voices.values():
            assert len({who for _, _, _, who, _, _ in packets}) == 1
            # One stream that never restarts: whatever the order of arrival, numbers are the source's, moved.
            assert len({sequence - number for _, sequence, _, _, number, _ in packets}) == 1
            assert len({timestamp - FRAME * number for _, _, timestamp, _, number, _ in packets}) == 1
            assert len({sequence for _, sequence, _, _, _, _ in packets}) == len(packets)
            assert [marker for *_, marker in packets].count(True) <= 1

    def judge_that_nothing_was_added_or_lost_by_us(self):
        for name in self.people:
            others = [self.server.taken[other] for other in self.people if other != name]
            assert all(len(set(taken)) == len(taken) for taken in others), "a packet was forwarded twice"
            assert self.server.sent[name] == sum(map(len, others))

    def deliveries(self):
        return deliveries(self.server.room.participants.values(), self.wire.clock.now)

    def heard_of(self, talker, listener):
        return sum(
            packet.payload.decode().startswith(f"{talker}:")
            for packets in self.people[listener].heard.values()
            for _, packet in packets
        )

    def gap(self, listener, since):
        """The longest silence that a listener had since then, in any voice that was there before."""
        longest = 0.0
        for packets in self.voices(listener).values():
            times = [since, *(at for at, *_ in packets if at >= since)]
            longest = max([longest, *(after - before for before, after in itertools.pairwise(times))])
        return longest


def bursts(loss):
    """Bursts of three packets at this mean loss."""
    return Burst(enter=loss / 3 / (1 - loss), leave=1 / 3)


# -- A10, A11 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.20, 0.30])
def test_a10_bursty_loss_on_both_legs_keeps_the_call_and_we_add_none(loss):
    call = Call("abc", seed=round(loss * 100))
    call.wire.burst = bursts(loss)
    call.play(32.0)
    call.judge()
    call.judge_that_nothing_was_added_or_lost_by_us()
    carried = call.wire.lost / call.wire.carried
    assert loss / 2 < carried < loss * 1.5 + 0.01
    # A publisher hears of the greater of its uplink's loss and of its listeners', so that its encoder adds FEC.
    told = [
        block.fraction_lost_octet / 256
        for person in call.people.values()
        for report in person.reports
        if isinstance(report, SenderReport | ReceiverReport)
        for block in report.blocks
        if block.ssrc == person.ssrc
    ]
    assert loss * 0.6 < sum(told) / len(told) < loss * 2.5 + 0.02


@pytest.mark.parametrize("slots", [3, 1])
def test_a10_each_pair_of_talker_and_listener_knows_its_own_loss(slots):
    """With one slot, which the four take from each other by turns, as with a slot for each."""
    call = Call("abcd", seed=slots, slots=slots)
    for turn, person in enumerate(call.people.values()):
        person.speaks = lambda now, turn=turn: now % 8 // 2 == turn
    call.wire.burst = bursts(0.10)
    call.play(12.0)
    first = {(one.talker, one.listener): one for one in call.deliveries()}
    call.play(42.0)
    call.wire.burst = None
    call.play(46.0)
    readings = call.deliveries()
    assert len(readings) == 4 * 3
    for reading in readings:
        heard = call.heard_of(reading.talker, reading.listener)
        lost = reading.forwarded - heard
        # All that is under way, or not reported yet, is at most the last 1.3 s.
        assert reading.forwarded - 65 <= reading.packets.expected <= reading.forwarded
        assert abs(reading.packets.lost - lost) <= lost * 0.3 + 3
        assert reading.lost_in_all >= reading.packets.lost
        assert 0.03 < between(first[reading.talker, reading.listener], reading).packets.fraction_lost < 0.2
    assert sum(one.packets.lost for one in readings) == pytest.approx(
        sum(one.forwarded - call.heard_of(one.talker, one.listener) for one in readings), rel=0.05
    )
    call.people["b"].speak_from = math.inf
    call.play(60.0)
    now = call.wire.clock.now
    hears = {(one.talker, one.listener): now - one.heard_at < 9.0 for one in call.deliveries()}
    assert [pair for pair, hearing in hears.items() if not hearing] == [("b", "a"), ("b", "c"), ("b", "d")]


def test_a10_thirty_per_cent_for_five_minutes_is_no_reason_to_leave():
    call = Call("ab")
    call.wire.burst = bursts(0.30)
    call.play(302.0)
    call.judge()
    call.judge_that_nothing_was_added_or_lost_by_us()


@pytest.mark.parametrize("seed", range(3))
def test_a11_jitter_reordering_and_duplicates_keep_order_and_nothing_is_sent_twice(seed):
    call = Call("abc", seed)
    call.wire.jitter, call.wire.reorder, call.wire.duplicate = 0.1, 0.05, 0.02
    call.play(22.0)
    call.judge()
    call.judge_that_nothing_was_added_or_lost_by_us()
    assert all(endpoint.drops["replayed"] > 5 for endpoint in call.server.endpoints.values())
    assert all(taken != sorted(taken) for taken in call.server.taken.values())
    assert call.wire.lost == 0
    # What had arrived by the end was heard; nothing else is missing.
    for name, person in call.people.items():
        heard = sum(len(packets) for packets in person.heard.values())
        assert call.server.sent[name] - 30 <= heard <= call.server.sent[name]


def test_a10_a11_everything_at_once():
    call = Call("abcd", seed=11)
    call.wire.jitter, call.wire.reorder, call.wire.duplicate, call.wire.burst = 0.1, 0.05, 0.02, bursts(0.1)
    call.play(15.0)
    call.judge()
    call.judge_that_nothing_was_added_or_lost_by_us()


# -- A12, A13 -------------------------------------------------------------------------------------------------------


def test_a12_ten_seconds_of_darkness_remove_nobody_and_audio_is_back_at_once():
    call = Call("abc")
    call.wire.blackouts = [(10.0, 20.0)]
    call.play(30.0)
    call.judge()
    for name in "abc":
        for packets in call.voices(name).values():
            dark = [at for at, *_ in packets if 10.1 < at < 20.0]
            back = min(at for at, *_ in packets if at >= 20.0)
            assert dark == []
            assert back < 20.2
    arriving = [(name, event.arriving) for _, name, event in call.events(Arriving)]
    assert sorted(arriving) == [(name, value) for name in "abc" for value in (False, True, True)]


def test_a13_rfc7675_45_seconds_of_darkness_end_consent_30_s_after_the_last_check():
    call = Call("ab")
    call.wire.blackouts = [(10.0, 55.0)]
    call.play(60.0)
    gone = call.events(Gone)
    assert [(name, event.reason) for _, name, event in gone] == [("a", "consent_expired"), ("b", "consent_expired")]
    assert all(10.0 - 2.6 + CONSENT <= at <= 10.1 + CONSENT for at, _, _ in gone)
    # They talk and check on, and are neither heard nor answered.
    sent, answered = dict(call.server.sent), [len(person.answered) for person in call.people.values()]
    call.play(65.0)
    assert dict(call.server.sent) == sent
    assert [len(person.answered) for person in call.people.values()] == answered


def test_rfc7675_who_checks_no_more_is_gone_though_media_comes_and_the_others_notice_nothing():
    call = Call("abc")
    call.people["a"].stop()
    call.play(40.0)
    ((at, name, event),) = call.events(Gone)
    assert (name, event.reason) == ("a", "consent_expired")
    assert CONSENT <= at <= CONSENT + 2.6
    assert call.gap("b", 2.0) < 0.1


# -- A14 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "always", "within"),
    [(2.5, True, 3.0), (5.0, False, 7.0), (6.0, False, 7.0)],
    ids=["chromium", "firefox", "slow"],
)
@pytest.mark.parametrize("moment", [10.0, 11.3, 13.9])
def test_a14_a_nat_that_takes_another_port_is_followed(interval, always, within, moment):
    call = Call("ab", interval=interval, nominate_always=always)
    call.play(moment)
    before = call.addresses["a"]
    after = Source(0, ("192.0.2.1", 60_001))
    call.wire.rebind(before, after)
    call.play(moment + 0.03)
    taken = len(call.server.taken["a"])
    bound = [at for at, _, _ in call.events(AddressBound)]
    call.play(moment + 10.0)
    call.judge()
    (at,) = [at for at, _, _ in call.events(AddressBound) if at not in bound]
    assert (SelectedMoved(after, before)) in [event for _, _, event in call.events(SelectedMoved)]
    # Until a check came from there, packets from the new address were not looked at.
    numbers = call.server.taken["a"]
    lost = numbers[taken] - numbers[taken - 1] - 1
    assert abs(lost * 0.02 - (at - moment)) < 0.1
    assert call.gap("a", moment - 1) <= within
    assert call.gap("b", moment - 1) <= within


def test_a14_a_stranger_at_another_address_is_never_accepted():
    call = Call("ab")
    stranger = Source(0, ("198.51.100.1", 9))

    class Copier:
        """Sends on, from its own address, what it saw of somebody's packets."""

        def __init__(self, seen):
            self.seen, self.got = seen, []

        def receive(self, datagram, source, now):
            self.got.append(datagram)

        def advance(self, now):
            pass

        def deadline(self):
            return None

        def drain(self):
            seen, self.seen = self.seen, []
            return [Datagram(data, SERVER) for data in seen]

    seen = []
    receive = call.server.receive
    call.server.receive = lambda data, source, now: (seen.append(data), receive(data, source, now))
    call.play(8.0)
    call.server.receive = receive
    copier = call.ends[stranger] = Copier(seen)
    sent = len(seen)
    taken = {name: list(numbers) for name, numbers in call.server.taken.items()}
    call.play(8.05)
    assert (sent > 500, copier.got) == (True, [])
    assert all(stranger not in endpoint.ice.addresses() for endpoint in call.server.endpoints.values())
    assert all(len(call.server.taken[name]) - len(numbers) <= 3 for name, numbers in taken.items())
    call.play(10.0)
    call.judge()


# -- restarts, and rooms that are too small -------------------------------------------------------------------------


def test_rfc8445_9_an_ice_restart_interrupts_nothing():
    call = Call("ab")
    call.play(10.0)
    person = call.people["a"]
    ours, theirs = IceParameters("new", "n" * 24), IceParameters("their", "n" * 24)
    call.server.endpoints["a"].restart_ice(theirs, ours, 10.0)
    person.restart(theirs, ours, 10.0)
    call.play(50.0)
    call.judge()
    assert [(name, event.ufrag) for _, name, event in call.events(CredentialsForgotten)] == [("a", "s1")]
    assert call.gap("a", 5.0) < 0.1
    assert call.gap("b", 5.0) < 0.1
    assert len(call.events(SelectedMoved)) == 2


@pytest.mark.parametrize("seed", range(3))
def test_many_who_speak_at_once_over_a_bad_network_leave_every_slot_one_stream(seed):
    call = Call("abcdefghij", seed, slots=3)
    for number, person in enumerate(call.people.values()):
        # Sentences of 1 to 3 s at times of their own: now and then five speak at once.
        person.speaks = lambda now, n=number: (now * (0.2 + n / 50) + n * 0.37) % 1 < 0.4
    call.wire.jitter, call.wire.reorder, call.wire.duplicate, call.wire.loss = 0.03, 0.05, 0.02, 0.05
    call.play(17.0)
    assert call.server.out.failed == 0
    assert call.events(Gone) == []
    for name in call.people:
        heard = set()
        for packets in call.voices(name).values():
            heard |= {who for _, _, _, who, _, _ in packets}
            ordered = sorted(packets, key=lambda one: one[1])
            assert len({sequence for _, sequence, *_ in ordered}) == len(ordered)
            last = defaultdict(lambda: -1)
            for _, _, _, who, number, _ in ordered:
                assert number > last[who]
                last[who] = number
            # Timestamps go forward but for what was late at a switch.
            back = sum(after[2] < before[2] for before, after in itertools.pairwise(ordered))
            assert back <= 0.01 * len(ordered)
        assert name not in heard
        assert heard == set(call.people) - {name}
