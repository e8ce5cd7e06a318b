from datetime import timedelta

import pytest

from signaling.call.sessions import counting_failures
from signaling.errors import ClientMistake
from signaling.identity.grants import Grants
from signaling.protocol.server_messages import Outgoing
from tests.signaling.fakes import FakeCarrier, FakeServer, pid


def look(code):
    """What looks at the secret: it is no good where there is a code."""
    if code is not None:
        raise ClientMistake(code)


def tried(server, code, address="192.0.2.1"):
    """What becomes of one try that ends with this code, None for a good one."""
    try:
        with counting_failures(server.conversation, address, lambda: server.now, "invite_invalid"):
            look(code)
    except ClientMistake as mistake:
        return mistake.code
    return None


def test_who_tries_wrong_secrets_has_to_wait():
    server = FakeServer()
    assert [tried(server, "invite_invalid") for _ in range(12)] == ["invite_invalid"] * 10 + ["rate_limited"] * 2
    assert tried(server, None) == "rate_limited", "nothing is looked at any more"
    assert tried(server, None, "192.0.2.2") is None
    server.now += 60
    assert tried(server, None) is None


@pytest.mark.parametrize("code", [None, "banned", "storage_unavailable"])
def test_only_wrong_ones_are_counted(code):
    server = FakeServer()
    assert {tried(server, code) for _ in range(20)} == {code}


def test_addresses_of_one_network_are_counted_together():
    server = FakeServer()
    codes = [tried(server, "invite_invalid", f"2001:db8::{number:x}") for number in range(11)]
    assert codes[-1] == "rate_limited"


def test_a_token_in_the_opening_or_in_auth_is_welcome() -> None:
    server = FakeServer()
    opened = server.line(server.token("ana"))
    welcome = opened.take("welcome")
    assert (welcome["identity"], welcome["resumed"]) == ("ana", False)
    assert welcome["limits"] == {"message_bytes": 65536, "messages_per_second": 50.0, "resume_seconds": 60.0}
    line = server.line()
    server.say(line, "auth", {"token": server.token("ana")})
    assert line.types == ["welcome"]
    assert line.frames[0]["id"] == 1


@pytest.mark.parametrize("way", ["opening", "message"])
def test_a_token_that_is_not_ours_closes_the_line(way: str) -> None:
    server = FakeServer()
    line = server.line("x.y.z" if way == "opening" else None)
    if way == "message":
        server.say(line, "auth", {"token": "x.y.z"})
    assert line.take("error")["code"] == "token_invalid"
    assert line.closed == "token_invalid"


def test_an_address_that_guesses_has_to_wait_and_old_tokens_are_no_guesses() -> None:
    server = FakeServer()
    old = server.token("ana")
    server.now += 700
    for _ in range(20):
        assert server.line(old).closed == "token_expired"
    for _ in range(10):
        assert server.line("x.y.z").closed == "token_invalid"
    refused = server.line(server.token("ana"))
    assert refused.closed == "rate_limited"
    server.now += 6
    assert server.line(server.token("ana")).types == ["welcome"]


def test_who_has_one_ipv6_address_has_all_of_its_network_and_guesses_no_more_often() -> None:
    server = FakeServer()

    def knock(address: str, token: str) -> FakeCarrier:
        line = FakeCarrier(address)
        server.conversation.open(line, server.now, token)
        return line

    for number in range(10):
        assert knock(f"2001:db8:1:2::{number:x}", "x.y.z").closed == "token_invalid"
    assert knock("2001:db8:1:2:ffff::1", server.token("ana")).closed == "rate_limited"
    assert knock("2001:db8:1:3::1", server.token("ana")).closed is None


def test_wrong_secrets_of_a_seat_are_failed_authentications_and_lost_seats_are_not() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    line = server.line()
    for _ in range(20):
        server.say(line, "resume", seat_of(ana) | {"session": "gone"})
    assert server.line(server.token("ben")).closed is None
    for _ in range(10):
        server.say(line, "resume", seat_of(ana) | {"secret": "guess"})
    assert server.line(server.token("ben")).closed == "rate_limited"


def test_an_identity_has_at_most_five_lines() -> None:
    server = FakeServer()
    lines = [server.line(server.token("ana")) for _ in range(6)]
    assert [line.closed for line in lines] == [None] * 5 + ["rate_limited"]
    server.conversation.lost(lines[0], server.now)
    assert server.line(server.token("ana")).closed is None


def test_leaving_keeps_the_session_and_a_new_join_is_a_new_participant() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    first = pid(ana)
    server.say(ana, "leave")
    left = {"participant": first, "reason": "client_initiated"}
    assert ana.take("participant-left") == left
    assert ben.take("participant-left") == left
    server.say(ana, "join", {"room": "lobby"})
    assert pid(ana) != first
    assert ben.types == ["participant-joined"]


def seat_of(line: FakeCarrier) -> dict[str, object]:
    assert line.session is not None
    return {"session": line.session.id, "secret": line.session.secret, "seq_ack": line.session.seq}


def test_what_was_missed_is_sent_again_in_order_and_once() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    seat, who = seat_of(ana), pid(ana)
    server.conversation.lost(ana, server.now)
    for number in range(3):
        server.say(ben, "message", {"topic": "t", "body": str(number)})
    ben.take()
    line = server.line()
    server.say(line, "resume", seat)
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
    assert server.conversation.counters["resumes"] == 1


def test_a_rejoin_within_the_seats_time_needs_no_fresh_token() -> None:
    server = FakeServer()
    short = timedelta(seconds=15)
    token = server.tokens.issue("ana", grants=Grants.for_room("lobby"), utc=server.utc(), lifetime=short)
    ana = server.line(token)
    server.say(ana, "join", {"room": "lobby"})
    seat, who = seat_of(ana), pid(ana)
    server.conversation.lost(ana, server.now)
    server.tick(59)
    assert server.line(token).closed == "token_expired"
    line = server.line()
    server.say(line, "resume", seat)
    assert (line.types[0], pid(line)) == ("welcome", who)
    server.tick(0.5)
    fresh = server.tokens.verify(line.frames[-1]["payload"]["token"], server.utc())
    assert fresh.identity == "ana", "and the session has one again"


def test_a_second_loss_in_mid_resume_loses_nothing() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    seat = seat_of(ana)
    server.conversation.lost(ana, server.now)
    server.say(ben, "message", {"topic": "t", "body": "once"})
    first = server.line()
    server.say(first, "resume", seat)
    server.conversation.lost(first, server.now)
    second = server.line()
    server.say(second, "resume", seat)
    assert [frame["payload"]["body"] for frame in second.frames if frame["type"] == "message"] == ["once"]
    server.say(second, "ping")
    server.conversation.lost(second, server.now)
    third = server.line()
    server.say(third, "resume", seat)
    assert third.types == ["resume-lost"]


def test_resume_takes_the_line_from_an_older_one_that_still_stands() -> None:
    server = FakeServer(sockets_per_identity=1)
    ana, ben = server.people("ana", "ben")
    line = server.line()
    server.say(line, "resume", seat_of(ana))
    assert ana.closed == "session_taken"
    assert line.types == ["welcome"]
    assert ben.frames == []
    server.conversation.lost(ana, server.now)
    server.say(line, "ping")
    assert line.types == ["welcome", "pong"]
    assert len(server.conversation.sessions) == 2


def test_an_authenticated_line_resumes_its_own_seats_only() -> None:
    server = FakeServer()
    ana, _ = server.people("ana", "ben")
    seat = seat_of(ana)
    eve = server.line(server.token("eve"))
    eve.take()
    server.say(eve, "resume", seat)
    assert eve.types == ["resume-lost"]
    assert ana.closed is None
    again = server.line(server.token("ana"))
    server.say(again, "resume", seat)
    assert again.types == ["welcome", "welcome"]
    assert ana.closed == "session_taken"
    assert server.conversation.connections._held["ana"] == 1
    server.conversation.lost(again, server.now)
    third = server.line(server.token("ana"))
    server.say(third, "resume", seat_of_session(server, seat))
    assert third.types[-1] == "participant-updated"


def seat_of_session(server: FakeServer, seat: dict[str, object]) -> dict[str, object]:
    session = server.conversation.sessions[str(seat["session"])]
    return {"session": session.id, "secret": session.secret, "seq_ack": session.seq}


@pytest.mark.parametrize("change", [{"session": "unknown"}, {"secret": "wrong"}])
def test_without_the_secret_nothing_is_resumed_and_the_line_may_still_authenticate(change: dict[str, str]) -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    line = server.line()
    server.say(line, "resume", seat_of(ana) | change)
    assert line.types == ["resume-lost"]
    assert ana.closed is None
    server.say(line, "auth", {"token": server.token("ana")})
    assert line.types[-1] == "welcome"


def test_a_session_without_a_seat_is_not_resumed() -> None:
    server = FakeServer()
    ana = server.line(server.token("ana"))
    line = server.line()
    server.say(line, "resume", seat_of(ana))
    server.say(ana, "resume", seat_of(ana))
    assert line.types == ["resume-lost"]
    assert ana.types == ["welcome", "resume-lost"]


def test_past_256_messages_the_whole_state_comes_instead() -> None:
    server = FakeServer(message_burst=1000)
    ana, ben = server.people("ana", "ben")
    seat = seat_of(ana)
    assert ana.session is not None
    ana.session.slots = Outgoing("slots", {"slots": []})
    server.conversation.lost(ana, server.now)
    for _ in range(257):
        server.say(ben, "message", {"topic": "t", "body": ""})
    line = server.line()
    server.say(line, "resume", seat)
    assert line.types == ["resume-lost", "welcome", "joined", "slots", "participant-updated"]
    assert line.frames[1]["payload"]["resumed"] is True


def test_a_seat_with_media_returns_as_active() -> None:
    from signaling.call import media

    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    seat = seat_of(ana)
    server.conversation.lost(ana, server.now)
    media.connected(server.conversation, pid_of(server, "ana"), None, server.now)
    ben.take()
    line = server.line()
    server.say(line, "resume", seat)
    assert ben.take("participant-updated")["participant"]["state"] == "active"


def pid_of(server: FakeServer, identity: str) -> str:
    return next(person.id for room in server.conversation.rooms for person in room if person.identity == identity)
