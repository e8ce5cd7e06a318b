from datetime import timedelta

import pytest

from signaling.identity.grants import Grants
from signaling.protocol.server_messages import Outgoing
from tests.signaling.fakes import FakeLine, House, pid


def test_a_token_in_the_opening_or_in_auth_is_welcome() -> None:
    house = House()
    opened = house.line(house.token("ana"))
    welcome = opened.take("welcome")
    assert (welcome["identity"], welcome["resumed"]) == ("ana", False)
    assert welcome["limits"] == {"message_bytes": 65536, "messages_per_second": 50.0, "resume_seconds": 60.0}
    line = house.line()
    house.say(line, "auth", {"token": house.token("ana")})
    assert line.types == ["welcome"]
    assert line.frames[0]["id"] == 1


@pytest.mark.parametrize("way", ["opening", "message"])
def test_a_token_that_is_not_ours_closes_the_line(way: str) -> None:
    house = House()
    line = house.line("x.y.z" if way == "opening" else None)
    if way == "message":
        house.say(line, "auth", {"token": "x.y.z"})
    assert line.take("error")["code"] == "token_invalid"
    assert line.closed == "token_invalid"


def test_an_address_that_guesses_has_to_wait_and_old_tokens_are_no_guesses() -> None:
    house = House()
    old = house.token("ana")
    house.now += 700
    for _ in range(20):
        assert house.line(old).closed == "token_expired"
    for _ in range(10):
        assert house.line("x.y.z").closed == "token_invalid"
    refused = house.line(house.token("ana"))
    assert refused.closed == "rate_limited"
    house.now += 6
    assert house.line(house.token("ana")).types == ["welcome"]


def test_who_has_one_ipv6_address_has_all_of_its_network_and_guesses_no_more_often() -> None:
    house = House()

    def knock(address: str, token: str) -> FakeLine:
        line = FakeLine(address)
        house.talk.open(line, house.now, token)
        return line

    for number in range(10):
        assert knock(f"2001:db8:1:2::{number:x}", "x.y.z").closed == "token_invalid"
    assert knock("2001:db8:1:2:ffff::1", house.token("ana")).closed == "rate_limited"
    assert knock("2001:db8:1:3::1", house.token("ana")).closed is None


def test_wrong_secrets_of_a_seat_are_failed_authentications_and_lost_seats_are_not() -> None:
    house = House()
    (ana,) = house.people("ana")
    line = house.line()
    for _ in range(20):
        house.say(line, "resume", seat_of(ana) | {"session": "gone"})
    assert house.line(house.token("ben")).closed is None
    for _ in range(10):
        house.say(line, "resume", seat_of(ana) | {"secret": "guess"})
    assert house.line(house.token("ben")).closed == "rate_limited"


def test_an_identity_has_at_most_five_lines() -> None:
    house = House()
    lines = [house.line(house.token("ana")) for _ in range(6)]
    assert [line.closed for line in lines] == [None] * 5 + ["rate_limited"]
    house.talk.lost(lines[0], house.now)
    assert house.line(house.token("ana")).closed is None


def test_leaving_keeps_the_session_and_a_new_join_is_a_new_participant() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    first = pid(ana)
    house.say(ana, "leave")
    left = {"participant": first, "reason": "client_initiated"}
    assert ana.take("participant-left") == left
    assert ben.take("participant-left") == left
    house.say(ana, "join", {"room": "lobby"})
    assert pid(ana) != first
    assert ben.types == ["participant-joined"]


def seat_of(line: FakeLine) -> dict[str, object]:
    assert line.session is not None
    return {"session": line.session.id, "secret": line.session.secret, "seq_ack": line.session.seq}


def test_what_was_missed_is_sent_again_in_order_and_once() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    seat, who = seat_of(ana), pid(ana)
    house.talk.lost(ana, house.now)
    for number in range(3):
        house.say(ben, "message", {"topic": "t", "body": str(number)})
    ben.take()
    line = house.line()
    house.say(line, "resume", seat)
    frames = line.take()
    assert [frame["type"] for frame in frames] == ["welcome", *["message"] * 3, "participant-updated"]
    assert frames[0]["payload"]["resumed"] is True
    assert frames[0]["payload"]["secret"] != seat["secret"]
    assert frames[0]["id"]
    assert [frame["payload"]["body"] for frame in frames[1:4]] == ["0", "1", "2"]
    numbers = [frame["seq"] for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > int(str(seat["seq_ack"]))
    assert pid(line) == who
    assert ben.take("participant-updated")["participant"]["state"] == "joined"
    assert house.talk.counters["resumes"] == 1


def test_a_rejoin_within_the_seats_time_needs_no_fresh_token() -> None:
    house = House()
    short = timedelta(seconds=15)
    token = house.tokens.issue("ana", grants=Grants.for_room("lobby"), utc=house.utc(), lifetime=short)
    ana = house.line(token)
    house.say(ana, "join", {"room": "lobby"})
    seat, who = seat_of(ana), pid(ana)
    house.talk.lost(ana, house.now)
    house.tick(59)
    assert house.line(token).closed == "token_expired"
    line = house.line()
    house.say(line, "resume", seat)
    assert (line.types[0], pid(line)) == ("welcome", who)
    house.tick(0.5)
    fresh = house.tokens.verify(line.frames[-1]["payload"]["token"], house.utc())
    assert fresh.identity == "ana", "and the session has one again"


def test_a_second_loss_in_mid_resume_loses_nothing() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    seat = seat_of(ana)
    house.talk.lost(ana, house.now)
    house.say(ben, "message", {"topic": "t", "body": "once"})
    first = house.line()
    house.say(first, "resume", seat)
    house.talk.lost(first, house.now)
    second = house.line()
    house.say(second, "resume", seat)
    assert [frame["payload"]["body"] for frame in second.frames if frame["type"] == "message"] == ["once"]
    house.say(second, "ping")
    house.talk.lost(second, house.now)
    third = house.line()
    house.say(third, "resume", seat)
    assert third.types == ["resume-lost"]


def test_resume_takes_the_line_from_an_older_one_that_still_stands() -> None:
    house = House(sockets_per_identity=1)
    ana, ben = house.people("ana", "ben")
    line = house.line()
    house.say(line, "resume", seat_of(ana))
    assert ana.closed == "session_taken"
    assert line.types == ["welcome"]
    assert ben.frames == []
    house.talk.lost(ana, house.now)
    house.say(line, "ping")
    assert line.types == ["welcome", "pong"]
    assert len(house.talk.sessions) == 2


def test_an_authenticated_line_resumes_its_own_seats_only() -> None:
    house = House()
    ana, _ = house.people("ana", "ben")
    seat = seat_of(ana)
    eve = house.line(house.token("eve"))
    eve.take()
    house.say(eve, "resume", seat)
    assert eve.types == ["resume-lost"]
    assert ana.closed is None
    again = house.line(house.token("ana"))
    house.say(again, "resume", seat)
    assert again.types == ["welcome", "welcome"]
    assert ana.closed == "session_taken"
    assert house.talk.lines._held["ana"] == 1
    house.talk.lost(again, house.now)
    third = house.line(house.token("ana"))
    house.say(third, "resume", seat_of_session(house, seat))
    assert third.types[-1] == "participant-updated"


def seat_of_session(house: House, seat: dict[str, object]) -> dict[str, object]:
    session = house.talk.sessions[str(seat["session"])]
    return {"session": session.id, "secret": session.secret, "seq_ack": session.seq}


@pytest.mark.parametrize("change", [{"session": "unknown"}, {"secret": "wrong"}])
def test_without_the_secret_nothing_is_resumed_and_the_line_may_still_authenticate(change: dict[str, str]) -> None:
    house = House()
    (ana,) = house.people("ana")
    line = house.line()
    house.say(line, "resume", seat_of(ana) | change)
    assert line.types == ["resume-lost"]
    assert ana.closed is None
    house.say(line, "auth", {"token": house.token("ana")})
    assert line.types[-1] == "welcome"


def test_a_session_without_a_seat_is_not_resumed() -> None:
    house = House()
    ana = house.line(house.token("ana"))
    line = house.line()
    house.say(line, "resume", seat_of(ana))
    house.say(ana, "resume", seat_of(ana))
    assert line.types == ["resume-lost"]
    assert ana.types == ["welcome", "resume-lost"]


def test_past_256_messages_the_whole_state_comes_instead() -> None:
    house = House(message_burst=1000)
    ana, ben = house.people("ana", "ben")
    seat = seat_of(ana)
    assert ana.session is not None
    ana.session.slots = Outgoing("slots", {"slots": []})
    house.talk.lost(ana, house.now)
    for _ in range(257):
        house.say(ben, "message", {"topic": "t", "body": ""})
    line = house.line()
    house.say(line, "resume", seat)
    assert line.types == ["resume-lost", "welcome", "joined", "slots", "participant-updated"]
    assert line.frames[1]["payload"]["resumed"] is True


def test_a_seat_with_media_returns_as_active() -> None:
    from signaling.call import media_events

    house = House()
    ana, ben = house.people("ana", "ben")
    seat = seat_of(ana)
    house.talk.lost(ana, house.now)
    media_events.connected(house.talk, pid_of(house, "ana"), None, house.now)
    ben.take()
    line = house.line()
    house.say(line, "resume", seat)
    assert ben.take("participant-updated")["participant"]["state"] == "active"


def pid_of(house: House, identity: str) -> str:
    return next(person.id for room in house.talk.rooms for person in room if person.identity == identity)
