"""The conversation as a whole: floods, time limits, lost lines, and what it does with mistakes."""

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import TypeAdapter

from signaling.errors import ClientMistake
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES
from tests.signaling.fakes import FakeLine, House, pid, receive

SHAPES = {kind: TypeAdapter(shape) for kind, shape in SERVER_MESSAGES.items()}


def test_a_line_that_says_nothing_is_closed_after_five_seconds() -> None:
    house = House()
    line = house.line()
    house.tick(4.9)
    assert line.closed is None
    house.tick(0.2)
    assert line.take("error")["code"] == "unauthenticated"
    assert line.closed == "unauthenticated"
    assert not house.talk.sessions


def test_a_session_survives_what_it_should_not_have_sent() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    for text in (
        "nonsense",
        '{"type":"fly","id":3}',
        '{"type":"auth","id":4,"payload":{"token":"x"}}',
        '{"type":"ping","id":5,"payload":{"x":1}}',
    ):
        receive(house.talk, ana, text, house.now)
    assert [(frame["payload"]["code"], frame.get("id")) for frame in ana.take()] == [
        ("bad_message", None),
        ("unknown_type", 3),
        ("unexpected_message", 4),
        ("bad_message", 5),
    ]
    assert ben.frames == []
    house.say(ana, "ping")
    assert ana.types == ["pong"]
    assert house.talk.counters["errors_bad_message"] == 2


def test_more_than_64_kib_closes_the_line() -> None:
    house = House()
    (ana,) = house.people("ana")
    receive(house.talk, ana, "x" * 70_000, house.now)
    assert ana.closed == "too_large"


def test_a_flooder_is_told_once_and_cut_off_and_others_notice_nothing() -> None:
    house = House(message_burst=20)
    ana, ben = house.people("ana", "ben")
    house.tick(10)
    for _ in range(40):
        if ana.closed is None:
            house.say(ana, "ping", quiet=True)
    assert ana.types.count("pong") == 20
    assert [frame["payload"]["code"] for frame in ana.frames if frame["type"] == "error"] == ["rate_limited"] * 2
    assert ana.closed == "rate_limited"
    assert ben.frames == []


def test_a_lost_line_leaves_the_media_running_and_others_see_it() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    who = pid(ana)
    house.talk.lost(ana, house.now)
    assert ben.take("participant-updated")["participant"]["state"] == "reconnecting"
    assert who in house.media.people
    house.tick(59)
    assert ben.frames == []
    house.tick(1)
    assert ben.take("participant-left") == {"participant": who, "reason": "connection_timeout"}
    assert house.media.removed == [who]
    assert len(house.talk.sessions) == 1


def test_a_line_lost_before_the_room_leaves_nothing() -> None:
    house = House()
    line = house.line(house.token("ana"))
    house.talk.lost(line, house.now)
    house.talk.lost(line, house.now)
    assert (len(house.talk.sessions), len(house.talk.lines)) == (0, 0)


def test_a_superseded_line_is_not_looked_at() -> None:
    house = House()
    line = FakeLine()
    receive(house.talk, line, "nonsense", house.now)
    assert line.frames == []
    house.talk.fail(line)
    assert line.closed == "internal"


def test_our_mistake_ends_one_line_and_leaves_the_rest() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    house.media.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        house.say(ana, "offer", {"sdp": "v=0"})
    house.talk.fail(ana)
    assert ana.closed == "internal"
    assert ana.take("error")["code"] == "internal"
    assert ben.frames == []


def test_a_fresh_token_comes_before_the_old_one_ends() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.tick(479)
    assert ana.frames == []
    house.tick(1)
    fresh = house.tokens.verify(ana.take("token")["token"], house.utc())
    assert (fresh.identity, fresh.grants.room) == ("ana", "lobby")
    house.tick(480)
    assert ana.types == ["token"]


def test_going_down_is_told_to_everybody() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    away = house.enter("cat")
    house.talk.lost(away, house.now)
    ana.take()
    ben.take()
    house.talk.shut_down()
    for line in (ana, ben):
        assert line.take("reconnect") == {"action": "reconnect", "reason": "server_shutdown"}
        assert line.closed == "server_shutdown"


def test_an_answer_without_an_id_is_only_sent_where_it_says_something() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "ice-candidate", {"candidate": ""}, quiet=True)
    assert ana.frames == []
    house.say(ana, "mute", quiet=True)
    assert ana.types == ["participant-updated"]


def test_nobody_speaks_for_a_session_without_a_participant() -> None:
    house = House()
    line = house.line(house.token("ana"))
    assert line.session is not None
    with pytest.raises(ClientMistake) as caught:
        house.talk.person(line.session)
    assert caught.value.code == "not_in_room"


def test_limits_of_the_quiet_are_forgotten() -> None:
    house = House()
    house.enter("ana")
    assert len(house.talk.join_limit) == 1
    house.talk.clear_up(house.now + 100)
    assert len(house.talk.join_limit) == 0


class Abuse(RuleBasedStateMachine):
    """Three people, one of them in another room, say anything in any state (FAULTS B11)."""

    IDENTITIES = (("ana", "lobby"), ("ben", "lobby"), ("eve", "other"))
    lines: list[FakeLine]

    @initialize()
    def begin(self) -> None:
        self.house = House(joins_per_minute=1000, message_burst=100_000, failed_auths_per_minute=1000)
        self.lines = [self.house.line() for _ in self.IDENTITIES]
        self.seats: list[dict[str, object]] = []
        self.last_seq: dict[int, int] = {}

    people = st.integers(0, 2)

    def targets(self) -> list[str]:
        return [person.id for room in self.house.talk.rooms for person in room]

    @rule(who=people)
    def auth(self, who: int) -> None:
        self.house.say(self.lines[who], "auth", {"token": self.house.token(*self.IDENTITIES[who])})

    @rule(who=people, room=st.sampled_from(["lobby", "other", "third"]))
    def join(self, who: int, room: str) -> None:
        self.house.say(self.lines[who], "join", {"room": room})

    @rule(who=people, kind=st.sampled_from(["leave", "mute", "unmute", "deafen", "undeafen", "participants", "ping"]))
    def plain(self, who: int, kind: str) -> None:
        self.house.say(self.lines[who], kind)

    @rule(who=people, data=st.data(), kind=st.sampled_from(["message", "signal", "moderate"]))
    def at_somebody(self, who: int, data: st.DataObject, kind: str) -> None:
        target = data.draw(st.sampled_from([*self.targets(), "nobody"]))
        payloads = {
            "message": {"to": target, "topic": "t", "body": "b"},
            "signal": {"to": target, "from": "somebody else"},
            "moderate": {"action": data.draw(st.sampled_from(["mute", "kick", "ban", "unban"])), "target": target},
        }
        before = {room.id: [person.id for person in room] for room in self.house.talk.rooms}
        self.house.say(self.lines[who], kind, payloads[kind])
        assert kind != "moderate" or before == {room.id: [p.id for p in room] for room in self.house.talk.rooms}

    @rule(who=people)
    def drop(self, who: int) -> None:
        self.house.talk.lost(self.lines[who], self.house.now)
        self.lines[who] = self.house.line()

    @rule(who=people, data=st.data(), guess=st.booleans())
    def resume(self, who: int, data: st.DataObject, guess: bool) -> None:
        sessions = sorted(self.house.talk.sessions.values(), key=lambda session: session.id)
        seat = data.draw(st.sampled_from(sessions)) if sessions else None
        payload = {
            "session": seat.id if seat else "x",
            "secret": "guess" if guess or not seat else seat.secret,
            "seq_ack": 0,
        }
        mine = seat is not None and seat.claims is not None and seat.claims.identity == self.IDENTITIES[who][0]
        if mine or guess or seat is None:
            self.house.say(self.lines[who], "resume", payload)

    @rule(seconds=st.sampled_from([0.1, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.house.tick(seconds)

    @rule(data=st.data(), up=st.booleans())
    def media(self, data: st.DataObject, up: bool) -> None:
        from signaling.call import media_events

        target = data.draw(st.sampled_from([*self.targets(), "nobody"]))
        if up:
            media_events.connected(self.house.talk, target, None, self.house.now)
        else:
            media_events.gone(self.house.talk, target, "consent_expired", self.house.now)

    @invariant()
    def nothing_but_the_protocol_was_sent(self) -> None:
        for number, line in enumerate(self.lines):
            in_room = line.session.participant_id if line.session else None
            for frame in line.take():
                SHAPES[frame["type"]].validate_python(frame["payload"])
                if frame["type"] == "signal":
                    assert frame["payload"]["from"] != "somebody else"
                if frame["type"] in ("message", "signal", "participant-joined"):
                    identity = self.IDENTITIES[number][0]
                    assert identity != "eve" or frame["payload"].get("from", in_room) == in_room
            if line.closed is not None:
                self.house.talk.lost(line, self.house.now)
                self.lines[number] = self.house.line()

    @invariant()
    def everybody_is_who_and_where_the_token_says(self) -> None:
        talk = self.house.talk
        places = dict(self.IDENTITIES)
        for room in talk.rooms:
            for person in room:
                assert places[person.identity] == room.id
                session = talk.audience.session(person.id)
                assert session is not None
                assert session.claims is not None
                assert (session.claims.identity, session.participant_id) == (person.identity, person.id)
                assert session.state == ("away" if session.carrier is None else "joined")
                assert person.id in self.house.media.people
        assert len(self.house.media.people) == talk.rooms.population

    @invariant()
    def lines_are_counted_right(self) -> None:
        held = [s for s in self.house.talk.sessions.values() if s.claims is not None and s.carrier is not None]
        assert sum(self.house.talk.lines._held.values()) == len(held)
        assert all(s.carrier is None or s.carrier.session is s for s in self.house.talk.sessions.values())


TestAbuse = Abuse.TestCase
TestAbuse.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES.keys() - {"auth", "resume", "ping"}))
def test_nothing_is_done_before_authentication(kind: str) -> None:
    from tests.signaling.protocol.test_client_messages import GOOD

    house = House()
    line = house.line()
    house.say(line, kind, GOOD[kind])
    assert line.take("error")["code"] == "unexpected_message"
    assert not house.media.people
