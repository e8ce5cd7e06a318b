from hypothesis import given
from hypothesis import strategies as st

from signaling.protocol.replay import MOST_BYTES, MOST_MESSAGES, Replay
from signaling.protocol.server_messages import Outgoing


def note(number: int, size: int = 1) -> Outgoing:
    return Outgoing("message", {"body": str(number).rjust(size)})


def filled(count: int) -> tuple[Replay, list[Outgoing]]:
    replay, notes = Replay(), [note(number) for number in range(1, count + 1)]
    for seq, message in enumerate(notes, 1):
        replay.keep(seq, message, seq)
    return replay, notes


def test_what_came_after_is_given_in_order_and_once() -> None:
    replay, notes = filled(5)
    assert replay.take_after(2) == [(notes[2], 3), (notes[3], 4), (notes[4], 5)]
    assert replay.take_after(2) == []


def test_an_empty_replay_has_missed_nothing() -> None:
    assert Replay().take_after(0) == []
    assert len(Replay()) == 0


def test_the_last_256_are_kept() -> None:
    replay, notes = filled(MOST_MESSAGES + 1)
    assert len(replay) == MOST_MESSAGES
    again, _ = filled(MOST_MESSAGES + 1)
    assert again.take_after(0) is None
    taken = replay.take_after(1)
    assert taken is not None
    assert [message for message, _ in taken] == notes[1:]


def test_bytes_are_bounded_too() -> None:
    replay = Replay()
    for seq in range(1, 80):
        replay.keep(seq, note(seq, 16_384), None)
    assert len(replay) * 16_384 <= MOST_BYTES
    assert replay.take_after(0) is None


def test_what_is_acknowledged_is_let_go() -> None:
    replay, _ = filled(10)
    replay.acknowledge(7)
    assert len(replay) == 3
    replay.acknowledge(3)
    assert len(replay) == 3


@given(st.integers(0, 400), st.integers(0, 400))
def test_either_all_of_what_was_missed_or_none(sent: int, ack: int) -> None:
    replay, notes = filled(sent)
    taken = replay.take_after(ack)
    if sent - ack > MOST_MESSAGES:
        assert taken is None
    else:
        assert taken is not None
        assert [message for message, _ in taken] == notes[ack:]


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_look_gives_the_same_with_its_numbers_and_leaves_it_there(sent: int, seq: int) -> None:
    replay, notes = filled(sent)
    for _ in range(2):
        seen = replay.after(seq)
        if sent - seq > MOST_MESSAGES:
            assert seen is None
        else:
            assert seen == [(number, notes[number - 1], number) for number in range(seq + 1, sent + 1)]
