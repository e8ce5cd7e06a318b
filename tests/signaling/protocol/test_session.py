import itertools

import pytest

from signaling.errors import ClientMistake
from signaling.limits import FloodGuard
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import Session
from signaling.protocol.states import EVENTS, SESSION
from tests.signaling.fakes import FakeLine

PATHS = {
    "opened": [],
    "authenticated": ["auth"],
    "joined": ["auth", "join"],
    "away": ["auth", "join", "lost"],
    "closed": ["lost"],
}


def session(*events: str) -> tuple[Session, FakeLine]:
    numbers = itertools.count(1)
    line = FakeLine()
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
    assert made.take_missed(1) == [(OK, 2), (OK, 3)]
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
    assert made.take_over(FakeLine()) is None
    second = made.secret
    assert first != second
    assert made.accepts(first)
    assert made.accepts(second)
    made.heard()
    assert not made.accepts(first)
    assert made.accepts(second)


def test_a_line_that_is_taken_over_is_handed_back() -> None:
    made, line = session("auth", "join")
    newer = FakeLine()
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
    secret, line = made.secret, FakeLine()
    assert made.take_over(line, secret_stays=True) is None
    assert (made.state, made.secret, made.carrier, made.deadline()) == ("joined", secret, line, None)
    ended, _ = session("auth", "join")
    ended.end("removed")
    with pytest.raises(ClientMistake):
        ended.take_over(FakeLine(), secret_stays=True)
    assert ended.carrier is None
