import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.limits import FloodGuard
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import MOST_BYTES, MOST_MESSAGES, Carrier, Replay, Session
from signaling.protocol.states import EVENTS, SESSION
from tests.signaling.fakes import FakeCarrier


def note(number: int, size: int = 1) -> Outgoing:
    return Outgoing("message", {"body": str(number).rjust(size)})


def bodies(missed: list[tuple[Outgoing, RequestId]] | None) -> list[tuple[bytes, RequestId]]:
    assert missed is not None
    assert not any(message.payload for message, _ in missed), "a session stores no payload"
    return [(message.body, request_id) for message, request_id in missed]


def filled(count: int) -> tuple[Replay, list[Outgoing]]:
    replay, notes = Replay(), [note(number) for number in range(1, count + 1)]
    for seq, message in enumerate(notes, 1):
        replay.keep(seq, message, seq)
    return replay, notes


def test_what_came_after_is_given_in_order_and_once() -> None:
    replay, notes = filled(5)
    assert bodies(replay.take_after(2)) == [(notes[2].body, 3), (notes[3].body, 4), (notes[4].body, 5)]
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
    assert bodies(taken) == [(message.body, seq) for seq, message in enumerate(notes[1:], 2)]


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
        assert bodies(taken) == [(message.body, seq) for seq, message in enumerate(notes[ack:], ack + 1)]


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_look_gives_the_same_with_its_numbers_and_leaves_it_there(sent: int, seq: int) -> None:
    replay, notes = filled(sent)
    for _ in range(2):
        seen = replay.after(seq)
        if sent - seq > MOST_MESSAGES:
            assert seen is None
        else:
            assert [(number, message.body, answered) for number, message, answered in seen] == [
                (number, notes[number - 1].body, number) for number in range(seq + 1, sent + 1)
            ]


def test_the_stand_in_of_the_tests_is_a_carrier() -> None:
    line: Carrier = FakeCarrier()
    line.close("internal")
    assert line.session is None


PATHS = {
    "opened": [],
    "authenticated": ["auth"],
    "joined": ["auth", "join"],
    "away": ["auth", "join", "lost"],
    "closed": ["lost"],
}


def session(*events: str) -> tuple[Session, FakeCarrier]:
    numbers = itertools.count(1)
    line = FakeCarrier()
    made = Session(line, 0.0, FloodGuard(50.0, 100, 0.0), lambda size: next(numbers).to_bytes(size, "big"))
    for event in events:
        made.step(event)
    return made, line


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (state, event)
        for state in SESSION
        for event in sorted(CLIENT_MESSAGES.keys() | EVENTS)
        if event not in SESSION[state]
    ],
)
def test_a_refused_event_changes_nothing(state: str, event: str) -> None:
    made, line = session(*PATHS[state])
    for attempt in (made.step, made.check):
        with pytest.raises(ClientMistake) as caught:
            attempt(event)
        assert caught.value.code == "unexpected_message"
        assert (made.state, made.seq, line.frames) == (state, 0, [])


def test_messages_are_numbered_from_one() -> None:
    made, line = session()
    made.send(OK, 5)
    made.send(Outgoing("pong", {}))
    assert line.take() == [
        {"type": "ok", "id": 5, "seq": 1, "payload": {}},
        {"type": "pong", "seq": 2, "payload": {}},
    ]


def test_what_was_sent_while_away_is_taken_once_and_without_the_volatile() -> None:
    made, line = session("auth", "join")
    made.send(OK, 1)
    made.lose(1.0)
    made.send(OK, 2)
    made.send(Outgoing("pong", {}))
    made.send(OK, 3)
    assert len(line.frames) == 1
    assert bodies(made.take_missed(1)) == [(OK.body, 2), (OK.body, 3)]
    assert made.take_missed(1) == []


def test_an_acknowledgement_of_what_was_never_sent_is_no_ground_for_a_replay() -> None:
    made, _ = session("auth", "join")
    made.send(OK)
    assert made.take_missed(9) is None
    with pytest.raises(ClientMistake) as caught:
        made.heard(9)
    assert caught.value.code == "bad_message"


def test_the_secret_changes_with_each_resume_and_the_former_is_good_until_the_client_is_heard() -> None:
    made, _ = session("auth", "join")
    first = made.secret
    assert made.accepts(first)
    assert not made.accepts("wrong")
    assert not made.accepts("é")
    made.lose(1.0)
    assert made.take_over(FakeCarrier()) is None
    second = made.secret
    assert first != second
    assert made.accepts(first)
    assert made.accepts(second)
    made.heard()
    assert not made.accepts(first)
    assert made.accepts(second)


def test_a_line_that_is_taken_over_is_handed_back() -> None:
    made, line = session("auth", "join")
    newer = FakeCarrier()
    assert made.take_over(newer) is line
    assert made.carrier is newer


def test_five_seconds_to_authenticate() -> None:
    made, _ = session()
    assert made.deadline() == 5.0
    made.step("auth")
    assert made.deadline() is None


def test_a_seat_lasts_60_s_from_the_last_sign_of_life_on_either_path() -> None:
    made, _ = session("auth", "join")
    assert made.deadline() is None
    made.media(True, 2.0)
    made.lose(10.0)
    assert made.deadline() is None
    made.media(False, 40.0)
    made.media(False, 45.0)
    assert made.deadline() == 100.0


def test_a_seat_without_media_lasts_60_s_from_the_loss_of_its_line() -> None:
    made, _ = session("auth", "join")
    made.lose(10.0)
    assert made.deadline() == 70.0


def test_an_ended_session_sends_nothing() -> None:
    made, line = session("auth", "join")
    assert made.end("removed") is line
    made.send(OK)
    assert (made.state, line.frames, made.deadline()) == ("closed", [], None)


def test_a_line_that_comes_back_finds_the_secret_as_it_was() -> None:
    made, _ = session("auth", "join")
    made.lose(5.0)
    secret, line = made.secret, FakeCarrier()
    assert made.take_over(line, secret_stays=True) is None
    assert (made.state, made.secret, made.carrier, made.deadline()) == ("joined", secret, line, None)
    ended, _ = session("auth", "join")
    ended.end("removed")
    with pytest.raises(ClientMistake):
        ended.take_over(FakeCarrier(), secret_stays=True)
    assert ended.carrier is None
