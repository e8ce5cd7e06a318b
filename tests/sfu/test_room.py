from collections import Counter, defaultdict
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.receive import ReceiveStatistics
from quality.sequence import nearest
from sfu.dtmf import KeyPress
from sfu.listener import (
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    StreamBegan,
    StreamEnded,
    StreamMuted,
    StreamUnmuted,
)
from sfu.observer import Speaker
from sfu.opus import OPUS_CLOCK
from sfu.room import LOSS_REVIEW_SECONDS, REVIEW_SECONDS, MediaRoom
from sfu.rtcp import ReportBlock
from sfu.rtp import parse
from sfu.selection import MuteFlags
from sfu.slot_table import PREROLL_PACKETS, PREROLL_SECONDS
from sfu.statistics import deliveries
from sfu.voice import HANGOVER
from tests.support.ears import FRAME, LOUD, QUIET, Ear, Mouth, collecting_socket, stream_of

OPEN = MuteFlags()
MUTED = MuteFlags(mute=True)
DEAF = MuteFlags(deaf=True)


class Hall:
    """A room with people who have ears and mouths; time goes 20 ms at once."""

    def __init__(self):
        self.room = MediaRoom("hall")
        self.out, self.batch = collecting_socket()
        self.now = 100.0
        self.ears = {}
        self.mouths = {}
        self.numbers = 0
        self.received = defaultdict(lambda: ReceiveStatistics(OPUS_CLOCK))

    def join(self, name, slots=2, *, flags=OPEN, speaks=True, connected=True):
        self.room.add(name, flags, self.now)
        self.numbers += 1
        ear = self.ears[name] = Ear(self.out, self.numbers, slots)
        if connected:
            ear.connect()
        self.room.set_slots(name, ear.slots, self.now)
        if speaks:
            self.begin(name)

    def begin(self, name):
        """Send with another SSRC from now on."""
        self.numbers += 1
        stream = stream_of(name, self.numbers, first=0xFFF0, now=self.now)
        self.mouths[name] = Mouth(stream, self.now)
        self.room.add_stream(name, stream, self.now)
        return stream

    def say(self, loud="", packets=1):
        """Everybody sends; those named in `loud` speak. Who heard what: {listener: [payloads in order]}."""
        heard = defaultdict(list)
        for _ in range(packets):
            for name, mouth in self.mouths.items():
                mouth.now = self.now
                mouth.say(LOUD if name in loud else QUIET)
            for listener, packet in self.drain():
                heard[listener].append(packet.payload.decode())
            self.now += 0.02
            self.room.advance(self.now)
        return heard

    def report(self, listener, lost=0):
        """The listener's receiver report on its first slot; `lost` of the packets that it has heard count as lost."""
        slot = self.ears[listener].slots[0]
        known = self.received[slot.ssrc]
        lost += known.packets.lost
        slot.reported(ReportBlock(slot.ssrc, 0, lost, known.highest_sequence, 0, 0, 0), 0, self.now)

    def drain(self):
        sent = self.batch.take()
        for name, ear in self.ears.items():
            for data in ear.hear(sent):
                packet = parse(data)
                self.received[packet.ssrc].add(packet.sequence, packet.rtp_timestamp, self.now, len(packet.payload))
                yield name, packet

    def in_slots(self, name):
        return [slot.participant for slot in self.room.participants[name].slots]

    def flags(self, name, flags):
        self.room.set_flags(name, flags, self.now)


def speakers(heard):
    return {listener: "".join(sorted({text[0] for text in texts})) for listener, texts in heard.items()}


def hall_of(names, slots=2, **kwargs):
    hall = Hall()
    for name in names:
        hall.join(name, slots, **kwargs)
    hall.room.take_changes()
    return hall


# -- small rooms ----------------------------------------------------------------------------------------------------


def test_in_a_small_room_everybody_has_everybody_and_nobody_themself():
    hall = hall_of("abc")
    assert [hall.in_slots(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]
    assert speakers(hall.say()) == {"a": "bc", "b": "ac", "c": "ab"}


def test_who_leaves_is_undone_both_ways_and_the_others_keep_their_slots():
    hall = hall_of("abc")
    hall.say()
    hall.room.remove("b", hall.now)
    hall.room.remove("b", hall.now)
    assert (hall.in_slots("a"), hall.in_slots("c")) == ([None, "c"], ["a", None])
    assert hall.room.take_changes().slots == {"a", "c"}
    assert hall.mouths["b"].stream.handlers == ()
    assert speakers(hall.say()) == {"a": "c", "c": "a"}
    assert all(slot.stream is None for slot in hall.ears["b"].slots)


def test_a_mute_holds_from_the_next_packet_and_takes_no_slot_away():
    hall = hall_of("abc")
    hall.say("a")
    hall.flags("a", MUTED)
    assert speakers(hall.say("a")) == {"a": "bc", "b": "c", "c": "b"}
    assert hall.in_slots("b") == ["a", "c"]
    hall.flags("a", MuteFlags(self_mute=True))
    assert speakers(hall.say("a")) == {"a": "bc", "b": "c", "c": "b"}
    hall.flags("a", OPEN)
    assert speakers(hall.say("a")) == {"a": "bc", "b": "ac", "c": "ab"}
    assert hall.room.take_changes().slots == set()


def test_what_was_said_muted_is_not_kept_for_later():
    hall = hall_of("abc", slots=1)
    hall.say("b", 30)
    hall.flags("a", MUTED)
    hall.say("a", 30)
    hall.flags("a", OPEN)
    heard = hall.say("a", 3)["c"]
    assert [text.rpartition(":")[2] for text in heard if text[0] == "a"] == [str(0xFFF0 + 60 + n) for n in range(3)]


def test_what_was_said_in_one_room_is_not_heard_in_the_next():
    attic, hall = hall_of("a", slots=1), hall_of("bcd", slots=1)
    hall.say("b", 5)
    attic.say("", 30)
    mouth = attic.mouths["a"]
    attic.room.remove("a", attic.now)
    hall.room.add("a", OPEN, hall.now)
    hall.room.add_stream("a", mouth.stream, hall.now)
    hall.mouths["a"], hall.now = mouth, max(attic.now, hall.now + 1)
    heard = hall.say("a", 2)["c"]
    assert [text.rpartition(":")[2] for text in heard if text[0] == "a"] == [str(0xFFF0 + 30 + n) for n in range(2)]


def test_the_deaf_hear_nothing_not_even_a_first_syllable():
    hall = hall_of("abcd", slots=1)
    hall.flags("d", DEAF)
    hall.say("", 20)
    for loud in "abc":
        assert "d" not in speakers(hall.say(loud, 40))
    hall.flags("d", OPEN)
    assert speakers(hall.say("c"))["d"] == "c"


def test_a_slot_without_a_route_waits_and_begins_with_the_marker_once_there_is_one():
    hall = hall_of("a")
    hall.join("b", connected=False)
    hall.say()
    assert hall.in_slots("b") == ["a", None]
    assert hall.ears["b"].slots[0].tally.totals() == (0, 0)
    hall.ears["b"].connect()
    hall.room.route_changed("b")
    hall.mouths["a"].say()
    ((_, packet),) = hall.drain()
    assert (packet.marker, packet.sequence) == (True, 0x7FF0)
    assert hall.ears["b"].slots[0].tally.totals()[0] == 1


def test_a_route_that_changes_is_used_from_the_next_packet_on():
    hall = hall_of("ab")
    hall.say()
    other = Ear(hall.out, 50)
    other.client, other.server = hall.ears["b"].client, hall.ears["b"].server
    for slot in hall.ears["b"].slots:
        slot.route = other.route.__class__(hall.ears["b"].server.outbound, hall.out, other.pinned.address)
    hall.ears["b"] = other
    hall.room.route_changed("b")
    assert speakers(hall.say()) == {"a": "b", "b": "a"}


def test_other_slots_take_over_and_those_that_are_gone_are_emptied():
    hall = hall_of("abc")
    hall.say()
    kept, gone = hall.ears["c"].slots
    hall.room.set_slots("c", [kept], hall.now)
    assert (kept.participant, gone.participant, gone.stream) == ("a", None, None)
    assert "c" in hall.room.take_changes().slots
    assert speakers(hall.say())["c"] == "a"


# -- streams --------------------------------------------------------------------------------------------------------


def test_rfc7656_a_changed_ssrc_goes_on_in_the_same_slots():
    hall = hall_of("ab")
    hall.say()
    old = hall.mouths["a"].stream
    hall.room.remove_stream("a", old, hall.now)
    hall.room.remove_stream("a", old, hall.now)
    assert (old.handlers, old.on_voice, old.active) == ((), None, False)
    hall.begin("a")
    ((_, _), (_, second)) = sorted((name, packet) for name, packet in one_packet(hall))
    assert (second.marker, second.sequence) == (True, 0x7FF1)
    hall.now += 0.02
    assert speakers(hall.say()) == {"a": "b", "b": "a"}


def one_packet(hall):
    for mouth in hall.mouths.values():
        mouth.say()
    return [(name, packet) for name, packet in hall.drain()]


def test_when_the_active_stream_ends_one_that_stands_by_is_heard_at_once():
    hall = hall_of("ab")
    old = hall.mouths["a"]
    new = hall.begin("a")
    hall.say(packets=5)
    assert (old.stream.active, new.active) == (False, True)
    hall.room.remove_stream("a", new, hall.now)
    old.say()
    assert [packet.payload[:1] for name, packet in hall.drain() if name == "b"] == [b"a"]


def test_a_new_stream_of_somebody_muted_is_not_heard():
    hall = hall_of("ab")
    hall.flags("a", MUTED)
    old, new = hall.mouths["a"].stream, hall.begin("a")
    assert speakers(hall.say("a")) == {"a": "b"}
    hall.room.remove_stream("a", new, hall.now)
    assert old.handlers == ()


def test_a_voice_in_the_older_of_two_streams_brings_the_newer_in_without_its_past():
    hall = hall_of("abcd", slots=1)
    hall.say("b", 30)
    old = hall.mouths["a"]
    hall.begin("a")
    hall.say("b", 30)
    old.now = hall.now
    old.say(LOUD)
    assert [packet.payload for _, packet in hall.drain()] == []


# -- large rooms ----------------------------------------------------------------------------------------------------


def test_in_a_large_room_the_first_voiced_packet_of_somebody_new_is_heard_with_those_before_it():
    hall = hall_of("abcd", slots=1)
    hall.say("", 20)
    hall.say("a", 30)
    hall.say("", 30)
    heard = hall.say("b")
    assert [hall.in_slots(name) for name in "acd"] == [["b"]] * 3
    numbers = [int(text.rpartition(":")[2]) for text in heard["c"] if text[0] == "b"]
    assert numbers == [0xFFF0 + 80 - PREROLL_PACKETS + n for n in range(PREROLL_PACKETS + 1)]
    # Who speaks hears the last who did.
    assert hall.in_slots("b") == ["a"]


def test_who_waits_to_be_heard_gets_the_slot_when_somebody_falls_silent():
    hall = hall_of("abcx", slots=1)
    hall.say("ab", 30)
    assert hall.in_slots("x") == ["a"]
    hall.say("b", round(HANGOVER / 0.02) + 3)
    assert hall.in_slots("x") == ["b"]
    assert "b" in speakers(hall.say("b"))["x"]


@pytest.mark.parametrize("end", ["mute", "leave", "stream", "stops"])
def test_who_waits_to_be_heard_gets_the_slot_of_who_is_gone(end):
    hall = hall_of("abcx", slots=1)
    hall.say("ab", 30)
    mouth = hall.mouths["a"]
    if end == "mute":
        hall.flags("a", MUTED)
    elif end == "leave":
        hall.room.remove("a", hall.now)
    elif end == "stream":
        hall.room.remove_stream("a", mouth.stream, hall.now)
    del hall.mouths["a"]
    if end == "stops":
        hall.say("b", round(HANGOVER / 0.02) + 5)
    assert hall.in_slots("x") == ["b"]
    assert "b" in speakers(hall.say("b"))["x"]


def test_the_louder_displaces_when_claims_are_compared():
    hall = hall_of("abcx", slots=1)
    hall.say("", 30)
    for _ in range(100):
        for name, level in zip("abcx", (50, 30, QUIET, QUIET), strict=True):
            hall.mouths[name].now = hall.now
            hall.mouths[name].say(level)
        hall.now += 0.02
        hall.room.advance(hall.now)
    assert [hall.in_slots(name) for name in "abcx"] == [["b"], ["a"], ["b"], ["b"]]


def test_a_listener_with_fewer_slots_than_others_is_no_special_case():
    hall = hall_of("abc", slots=4)
    hall.join("x", slots=1)
    hall.say("", 10)
    hall.say("c")
    assert speakers(hall.say("c")) == {"a": "bcx", "b": "acx", "c": "abx", "x": "c"}


def test_slots_that_become_few_go_to_those_who_speak_already():
    hall = hall_of("abx", slots=2)
    hall.say("", 10)
    hall.say("b", 5)
    hall.room.set_slots("x", hall.ears["x"].slots[:1], hall.now)
    assert hall.in_slots("x") == ["b"]


def test_somebody_without_slots_speaks_and_hears_nobody():
    hall = hall_of("ab")
    hall.join("x", slots=0)
    assert speakers(hall.say()) == {"a": "bx", "b": "ax"}


# -- speakers, loss -------------------------------------------------------------------------------------------------


def test_speakers_are_told_on_change_the_loudest_first():
    hall = hall_of("abc")
    hall.say("", 20)
    assert hall.room.take_changes().speakers is None
    for _ in range(20):
        for name, level in zip("abc", (40, 20, QUIET), strict=True):
            hall.mouths[name].now = hall.now
            hall.mouths[name].say(level)
        hall.now += 0.02
        hall.room.advance(hall.now)
    told = hall.room.take_changes().speakers
    assert [speaker.participant for speaker in told] == ["b", "a"]
    assert told[0].level == pytest.approx(0.1, rel=0.2)
    assert all(isinstance(speaker, Speaker) for speaker in told)
    assert hall.room.take_changes().speakers is None
    hall.say("", 60)
    assert hall.room.take_changes().speakers == []


def test_between_reviews_nothing_is_compared():
    hall = hall_of("ab")
    hall.room.advance(hall.now)
    hall.mouths["a"].say(LOUD)
    hall.room.advance(hall.now + REVIEW_SECONDS / 2)
    assert hall.room.take_changes().speakers is None
    hall.room.advance(hall.now + REVIEW_SECONDS)
    assert [speaker.participant for speaker in hall.room.take_changes().speakers] == ["a"]


def test_a_publisher_s_stream_knows_what_its_listeners_lose():
    hall = hall_of("ab")
    hall.say(packets=20)
    hall.report("b", lost=5)
    hall.room.advance(hall.now + LOSS_REVIEW_SECONDS)
    assert hall.mouths["a"].stream.downlink_loss == 0.25
    assert hall.mouths["b"].stream.downlink_loss == 0.0


def test_a_talker_who_takes_a_slot_over_does_not_hear_of_the_loss_of_the_one_before():
    hall = hall_of("abc", slots=1)
    hall.say("a", 50)
    assert hall.in_slots("c") == ["a"]
    hall.report("c", lost=25)
    hall.say("", 40)
    hall.say("b", 20)
    assert hall.in_slots("c") == ["b"]
    hall.room.advance(hall.now + LOSS_REVIEW_SECONDS)
    assert hall.mouths["b"].stream.downlink_loss == 0.0
    hall.report("c", lost=25)
    assert hall.room.participants["c"].deliveries["a"].lost == 25
    assert hall.room.participants["c"].deliveries["b"].lost == 0


def disturb(hall, chance, name):
    """Something that moves the numbers of slots: packets lost on the way to us, a mute, a key."""
    match chance.randrange(4):
        case 0:
            hall.mouths[name].skip(chance.randrange(5))
        case 1:
            hall.flags(name, chance.choice([OPEN, MUTED, DEAF]))
        case 2:
            hall.mouths[name].press(KeyPress(5, True, 10, 960), marker=0x80)


@pytest.mark.parametrize("seed", range(5))
def test_however_slots_change_hands_each_packet_that_was_heard_counts_for_the_talker_it_came_from(seed):
    """First syllables, pauses that give delay back, keys, mutes, and talkers who lose packets on their way to us."""
    hall, chance, heard = hall_of("abcd", slots=1), Random(seed), Counter()

    def say(loud, packets):
        for listener, texts in hall.say(loud, packets).items():
            heard.update((text[0], listener) for text in texts)

    for _ in range(60):
        name = chance.choice("abcd")
        disturb(hall, chance, name)
        say(chance.choice(["", "a", "bc", "cd", name]), chance.randrange(40))
        hall.report(chance.choice("abcd"))
    for name in "abcd":
        hall.flags(name, OPEN)
    say("abcd", 50)
    for listener in "abcd":
        hall.report(listener)
    for reading in deliveries(hall.room.participants.values(), hall.now):
        assert reading.packets.lost == 0
        assert reading.packets.received == reading.forwarded == heard[reading.talker, reading.listener]


# -- listeners ------------------------------------------------------------------------------------------------------


class Journal:
    """Asserts the port's promises: streams of those who are here, packets of streams that are open and not muted."""

    def __init__(self):
        self.present = set()
        self.muted = {}
        self.packets = 0
        self.ended = None

    def event(self, event, now):
        assert self.ended is None
        match event:
            case ParticipantJoined(participant):
                assert participant not in self.present
                self.present.add(participant)
            case ParticipantLeft(participant):
                self.present.remove(participant)
                assert all(stream.participant in self.present for stream in self.muted)
            case StreamBegan(stream):
                assert stream.participant in self.present
                assert stream not in self.muted
                self.muted[stream] = False
            case StreamMuted(stream):
                assert not self.muted[stream]
                self.muted[stream] = True
            case StreamUnmuted(stream):
                assert self.muted[stream]
                self.muted[stream] = False
            case StreamEnded(stream):
                del self.muted[stream]
            case RoomClosed(reason):
                self.ended = reason

    def packet(self, stream, packet, arrival):
        assert self.muted[stream] is False
        self.packets += 1


def test_a_journal_hears_the_room_through_the_same_port():
    hall = hall_of("abc")
    hall.flags("b", MUTED)
    journal = Journal()
    hall.room.attach(journal, hall.now)
    hall.room.attach(journal, hall.now)
    hall.say(packets=2)
    assert (journal.packets, journal.present, list(journal.muted.values())) == (4, set("abc"), [False, True, False])
    hall.begin("b")
    hall.flags("b", OPEN)
    hall.say(packets=3)
    # The second stream of b takes over with its third packet; a journal has all of them.
    assert journal.packets == 4 + 3 * 3
    hall.room.detach(journal)
    hall.room.detach(journal)
    assert speakers(hall.say()) == {"a": "bc", "b": "ac", "c": "ab"}
    assert (journal.packets, journal.ended, hall.room.take_changes().failures) == (13, None, 0)


def test_a_room_that_ends_tells_its_listeners():
    room, one, other = MediaRoom("hall"), Journal(), Journal()
    room.attach(one, 0.0)
    room.attach(other, 0.0)
    room.close("empty", 1.0)
    assert (one.ended, other.ended, list(room.listeners)) == ("empty", "empty", [])


def test_a_room_whose_slots_have_changed_says_so_once():
    restless = set()
    room = MediaRoom("hall", restless)
    room.add("a", OPEN, 0.0)
    assert restless == set()
    room.set_slots("a", [], 0.0)
    assert restless == {room}
    assert room.take_changes().slots == {"a"}
    assert restless == set()


# -- whatever happens -----------------------------------------------------------------------------------------------


SILENCING = ("self_mute", "mute", "suppressed", "held")
DEAFENING = ("self_deaf", "deaf", "held")


def is_any(flags, names):
    """Whether one of the flags of these names is set."""
    return any(getattr(flags, name) for name in names)


class Walk:
    """People come, go, speak, fall silent and are silenced at random over a bad uplink; every packet out is judged."""

    def __init__(self, seed):
        self.chance = Random(seed)
        self.hall = Hall()
        self.room = self.hall.room
        self.journal = Journal()
        self.room.attach(self.journal, self.hall.now)
        self.slots = self.chance.choice([1, 2, 3, 8])
        self.talking = set()
        self.held = {}
        self.excused = defaultdict(set)
        self.out = defaultdict(list)
        self.switches = defaultdict(int)
        self.born = {}
        self.names = (f"p{number}" for number in count())

    def run(self, ticks):
        for _ in range(4):
            self.join()
        for _ in range(ticks):
            if self.chance.random() < 0.15:
                self.act()
            for name in list(self.hall.mouths):
                self.send(name)
            self.hall.now += 0.02
            self.room.advance(self.hall.now)
            assert self.room.take_changes().failures == 0
        self.judge()

    def act(self):
        people = list(self.room.participants)
        move = self.chance.choice(["join", "leave", *["talk"] * 6, "flags", "flags", "ssrc", "bye", "route", "slots"])
        if move == "join" and len(people) < 6:
            self.join()
        if move == "join" or not people:
            return
        name = self.chance.choice(people)
        if move == "leave":
            self.room.remove(name, self.hall.now)
            self.judge_ear(name, self.hall.ears.pop(name))
            del self.hall.mouths[name]
            self.held.pop(name, None)
        elif move == "talk":
            self.talking ^= {name}
        elif move == "flags":
            flags = MuteFlags(*(self.chance.random() < 0.2 for _ in range(6)))
            self.room.set_flags(name, flags, self.hall.now)
        elif move == "ssrc":
            self.hall.begin(name)
            self.held.pop(name, None)
            self.born_stream(name)
        elif move == "bye":
            for stream in self.room.participants[name].streams[:-1]:
                self.room.remove_stream(name, stream, self.hall.now)
        elif move == "route":
            self.hall.ears[name].connect()
            self.room.route_changed(name)
        elif move == "slots":
            kept = self.hall.ears[name].slots[: self.chance.randint(1, self.slots)]
            self.room.set_slots(name, kept, self.hall.now)

    def join(self):
        name = next(self.names)
        slots = self.chance.choice([self.slots, self.slots, 1])
        self.hall.join(name, slots, connected=self.chance.random() < 0.8)
        self.born_stream(name)

    def born_stream(self, name):
        self.hall.mouths[name].timestamp = self.chance.randrange(1 << 32)

    def send(self, name):
        mouth = self.hall.mouths[name]
        mouth.now = self.hall.now
        stream, level = mouth.stream, LOUD if name in self.talking else QUIET
        sequence, timestamp, fate = mouth.sequence, mouth.timestamp, self.chance.random()
        mouth.sequence, mouth.timestamp = sequence + 1, timestamp + FRAME
        if fate < 0.05:
            self.excused[stream.id].add(sequence)
            return
        if fate < 0.10 and name not in self.held:
            self.excused[stream.id].add(sequence)
            self.held[name] = (sequence, timestamp, level)
            return
        mouth.send(sequence, timestamp, level)
        self.heard(name, stream, sequence, loud=level == LOUD)
        late = self.held.pop(name, None)
        if late is not None:
            mouth.send(*late)
            self.heard(name, stream, late[0], loud=late[2] == LOUD, late=True)

    def heard(self, name, stream, current, *, loud, late=False):
        """Judge what one packet led to: who got it, and under which numbers."""
        room = self.room
        got = set()
        for listener, packet in self.hall.drain():
            who, stream_id, number = packet.payload.decode().split(":")
            assert (who, int(stream_id)) == (name, stream.id)
            assert who != listener
            assert not is_any(room.participants[who].flags, SILENCING)
            assert not is_any(room.participants[listener].flags, DEAFENING)
            slot = next(one for one in room.participants[listener].slots if one.ssrc == packet.ssrc)
            assert slot.participant == who
            if int(number) == current:
                got.add(listener)
            else:
                # A voice may begin with a late packet; else that one goes alone.
                assert loud or not late
            self.note(slot, packet, int(stream_id), int(number), exact=int(number) == current and not late)
        speaker = room.participants[name]
        if not late and speaker.stream is stream and not is_any(speaker.flags, SILENCING):
            assert self.entitled(name, loud=loud) <= got

    def entitled(self, name, *, loud):
        """Who must hear a packet: whoever has slots for everybody, and if it is loud, for all who speak now."""
        people = self.room.participants
        entitled = set()
        for listener in people.values():
            others = people.keys() - {listener.id}
            speaking = {other for other in others if people[other].stream and people[other].stream.voice.voiced}
            # A pause may be cut short where a first syllable was sent late.
            due = speaking if loud else others if not any(slot.owed for slot in listener.slots) else None
            routed = bool(listener.slots) and all(slot.route for slot in listener.slots)
            deaf = is_any(listener.flags, DEAFENING)
            if listener.id != name and not deaf and routed and due is not None and len(due) <= len(listener.slots):
                entitled.add(listener.id)
        return entitled

    def note(self, slot, packet, stream_id, number, *, exact):
        entries = self.out[id(slot)]
        last = entries[-1] if entries else None
        sequence = nearest(packet.sequence, last[0]) if last else packet.sequence
        if last is None or last[2] != stream_id:
            assert packet.marker
        if packet.marker:
            self.switches[id(slot)] += 1
        entries.append((sequence, packet.rtp_timestamp, stream_id, number))
        begun, first = self.born.setdefault(id(slot), (self.hall.now, packet.rtp_timestamp))
        assert 0 <= slot.owed <= 2 * PREROLL_SECONDS * OPUS_CLOCK
        if exact:
            # What is sent runs with the clock, but for the delay that is owed.
            ahead = (packet.rtp_timestamp - first - round((self.hall.now - begun) * 48_000) + (1 << 31)) % (1 << 32)
            assert abs(ahead - (1 << 31) - slot.owed) <= 2 + 2 * self.switches[id(slot)]

    def judge(self):
        assert self.hall.out.failed == 0
        for name, ear in self.hall.ears.items():
            self.judge_ear(name, ear)

    def judge_ear(self, name, ear):
        assert len({slot.ssrc for slot in ear.slots}) == len(ear.slots)
        for slot in ear.slots:
            entries = self.out.pop(id(slot), [])
            self.born.pop(id(slot), None)
            assert slot.tally.totals()[0] == len(entries)
            ordered = sorted(entries)
            for before, after in pairwise(ordered):
                self.judge_step(before, after)

    def judge_step(self, before, after):
        (sequence, timestamp, stream_id, number), (next_sequence, next_timestamp, next_id, next_number) = before, after
        gap = next_sequence - sequence
        assert gap >= 1
        missing = {next_number - back for back in range(1, gap)}
        assert missing <= self.excused[next_id] | (self.excused[stream_id] if next_id != stream_id else set()) or (
            {number + ahead for ahead in range(1, gap)} <= self.excused[stream_id] | self.excused[next_id]
        )
        if next_id == stream_id:
            assert next_number > number
        late = number in self.excused[stream_id] or next_number in self.excused[next_id]
        assert late or FRAME <= (next_timestamp - timestamp) & 0xFFFFFFFF < 1 << 31


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 32))
def test_whatever_happens_who_may_hear_hears_and_nobody_else_in_streams_that_never_restart(seed):
    Walk(seed).run(250)


# -- hold -----------------------------------------------------------------------------------------------------------

HELD = MuteFlags(held=True)


def test_who_is_on_hold_neither_speaks_nor_hears_and_keeps_the_slots():
    hall = hall_of("abc")
    hall.say("a")
    hall.flags("a", HELD)
    assert speakers(hall.say("abc", 20)) == {"b": "c", "c": "b"}
    assert [hall.in_slots(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]
    hall.flags("a", OPEN)
    assert speakers(hall.say("abc")) == {"a": "bc", "b": "ac", "c": "ab"}


def test_what_is_said_on_hold_claims_no_slot_and_is_not_kept():
    hall = hall_of("abc", slots=1)
    hall.say("b", 30)
    hall.flags("a", HELD)
    hall.say("a", 30)
    assert hall.in_slots("c") == ["b"]
    assert not hall.mouths["a"].stream.ring


@pytest.mark.parametrize("changed", [MuteFlags(held=True, self_mute=True), MuteFlags(held=True, self_deaf=True)])
def test_a_mute_that_changes_on_hold_cannot_be_heard(changed):
    hall = hall_of("ab")
    for flags in (HELD, changed, HELD):
        hall.flags("a", flags)
        assert speakers(hall.say("ab", 3)) == {}


def test_a_hold_outlasts_the_peer_connection():
    hall = hall_of("ab")
    hall.flags("a", HELD)
    hall.numbers += 1
    ear = hall.ears["a"] = Ear(hall.out, hall.numbers, 2)
    ear.connect()
    hall.room.set_slots("a", ear.slots, hall.now)
    hall.room.route_changed("a")
    hall.begin("a")
    assert speakers(hall.say("ab", 3)) == {}
