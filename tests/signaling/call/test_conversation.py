"""The conversation as a whole: floods, time limits, lost lines, and what it does with mistakes."""

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import TypeAdapter

from signaling.call.conversation import HANDLERS
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES
from tests.signaling.fakes import FakeCarrier, FakeServer, pid, receive


def test_every_message_has_a_handler() -> None:
    assert HANDLERS.keys() == CLIENT_MESSAGES.keys()


SHAPES = {kind: TypeAdapter(shape) for kind, shape in SERVER_MESSAGES.items()}


def test_a_line_that_says_nothing_is_closed_after_five_seconds() -> None:
    server = FakeServer()
    line = server.line()
    server.tick(4.9)
    assert line.closed is None
    server.tick(0.2)
    assert line.take("error")["code"] == "unauthenticated"
    assert line.closed == "unauthenticated"
    assert not server.conversation.sessions


def test_a_session_survives_what_it_should_not_have_sent() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    for text in (
        "nonsense",
        '{"type":"fly","id":3}',
        '{"type":"auth","id":4,"payload":{"token":"x"}}',
        '{"type":"ping","id":5,"payload":{"x":1}}',
    ):
        receive(server.conversation, ana, text, server.now)
    assert [(frame["payload"]["code"], frame.get("id")) for frame in ana.take()] == [
        ("bad_message", None),
        ("unknown_type", 3),
        ("unexpected_message", 4),
        ("bad_message", 5),
    ]
    assert ben.frames == []
    server.say(ana, "ping")
    assert ana.types == ["pong"]
    assert server.conversation.counters["errors_bad_message"] == 2


def test_more_than_64_kib_closes_the_line() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    receive(server.conversation, ana, "x" * 70_000, server.now)
    assert ana.closed == "too_large"


def test_a_flooder_is_told_once_and_cut_off_and_others_notice_nothing() -> None:
    server = FakeServer(message_burst=20)
    ana, ben = server.people("ana", "ben")
    server.tick(10)
    for _ in range(40):
        if ana.closed is None:
            server.say(ana, "ping", quiet=True)
    assert ana.types.count("pong") == 20
    assert [frame["payload"]["code"] for frame in ana.frames if frame["type"] == "error"] == ["rate_limited"] * 2
    assert ana.closed == "rate_limited"
    assert ben.frames == []


def test_a_lost_line_leaves_the_media_running_and_others_see_it() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    server.conversation.lost(ana, server.now)
    assert ben.take("participant-updated")["participant"]["state"] == "reconnecting"
    assert who in server.media.people
    server.tick(59)
    assert ben.frames == []
    server.tick(1)
    assert ben.take("participant-left") == {"participant": who, "reason": "connection_timeout"}
    assert server.media.removed == [who]
    assert len(server.conversation.sessions) == 1


def test_a_line_lost_before_the_room_leaves_nothing() -> None:
    server = FakeServer()
    line = server.line(server.token("ana"))
    server.conversation.lost(line, server.now)
    server.conversation.lost(line, server.now)
    assert (len(server.conversation.sessions), len(server.conversation.connections)) == (0, 0)


def test_a_superseded_line_is_not_looked_at() -> None:
    server = FakeServer()
    line = FakeCarrier()
    receive(server.conversation, line, "nonsense", server.now)
    assert line.frames == []
    server.conversation.fail(line)
    assert line.closed == "internal"


def test_our_mistake_ends_one_line_and_leaves_the_rest() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    server.media.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        server.say(ana, "offer", {"sdp": "v=0"})
    server.conversation.fail(ana)
    assert ana.closed == "internal"
    assert ana.take("error")["code"] == "internal"
    assert ben.frames == []


def test_a_fresh_token_comes_before_the_old_one_ends() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.tick(479)
    assert ana.frames == []
    server.tick(1)
    fresh = server.tokens.verify(ana.take("token")["token"], server.utc())
    assert (fresh.identity, fresh.grants.room) == ("ana", "lobby")
    server.tick(480)
    assert ana.types == ["token"]


def test_going_down_is_told_to_everybody() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    away = server.enter("cat")
    server.conversation.lost(away, server.now)
    ana.take()
    ben.take()
    server.conversation.shut_down()
    for line in (ana, ben):
        assert line.take("reconnect") == {"action": "reconnect", "reason": "server_shutdown"}
        assert line.closed == "server_shutdown"


def test_an_answer_without_an_id_is_only_sent_where_it_says_something() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "ice-candidate", {"candidate": ""}, quiet=True)
    assert ana.frames == []
    server.say(ana, "mute", quiet=True)
    assert ana.types == ["participant-updated"]


def test_nobody_speaks_for_a_session_without_a_participant() -> None:
    server = FakeServer()
    line = server.line(server.token("ana"))
    assert line.session is not None
    with pytest.raises(ClientMistake) as caught:
        server.conversation.person(line.session)
    assert caught.value.code == "not_in_room"


def test_limits_of_the_quiet_are_forgotten() -> None:
    server = FakeServer()
    server.enter("ana")
    assert len(server.conversation.join_limit) == 1
    server.conversation.clear_up(server.now + 100)
    assert len(server.conversation.join_limit) == 0


class Abuse(RuleBasedStateMachine):
    """Three people, one of them in another room, say anything in any state (FAULTS B11)."""

    IDENTITIES = (("ana", "lobby"), ("ben", "lobby"), ("eve", "other"))
    lines: list[FakeCarrier]

    @initialize()
    def begin(self) -> None:
        self.server = FakeServer(joins_per_minute=1000, message_burst=100_000, failed_auths_per_minute=1000)
        self.lines = [self.server.line() for _ in self.IDENTITIES]
        self.seats: list[dict[str, object]] = []
        self.last_seq: dict[int, int] = {}

    people = st.integers(0, 2)

    def targets(self) -> list[str]:
        return [person.id for room in self.server.conversation.rooms for person in room]

    @rule(who=people)
    def auth(self, who: int) -> None:
        self.server.say(self.lines[who], "auth", {"token": self.server.token(*self.IDENTITIES[who])})

    @rule(who=people, room=st.sampled_from(["lobby", "other", "third"]))
    def join(self, who: int, room: str) -> None:
        self.server.say(self.lines[who], "join", {"room": room})

    @rule(who=people, kind=st.sampled_from(["leave", "mute", "unmute", "deafen", "undeafen", "participants", "ping"]))
    def plain(self, who: int, kind: str) -> None:
        self.server.say(self.lines[who], kind)

    @rule(who=people, data=st.data(), kind=st.sampled_from(["message", "signal", "moderate"]))
    def at_somebody(self, who: int, data: st.DataObject, kind: str) -> None:
        target = data.draw(st.sampled_from([*self.targets(), "nobody"]))
        payloads = {
            "message": {"to": target, "topic": "t", "body": "b"},
            "signal": {"to": target, "from": "somebody else"},
            "moderate": {"action": data.draw(st.sampled_from(["mute", "kick", "ban", "unban"])), "target": target},
        }
        before = {room.id: [person.id for person in room] for room in self.server.conversation.rooms}
        self.server.say(self.lines[who], kind, payloads[kind])
        assert kind != "moderate" or before == {
            room.id: [p.id for p in room] for room in self.server.conversation.rooms
        }

    @rule(who=people)
    def drop(self, who: int) -> None:
        self.server.conversation.lost(self.lines[who], self.server.now)
        self.lines[who] = self.server.line()

    @rule(who=people, data=st.data(), guess=st.booleans())
    def resume(self, who: int, data: st.DataObject, guess: bool) -> None:
        sessions = sorted(self.server.conversation.sessions.values(), key=lambda session: session.id)
        seat = data.draw(st.sampled_from(sessions)) if sessions else None
        payload = {
            "session": seat.id if seat else "x",
            "secret": "guess" if guess or not seat else seat.secret,
            "seq_ack": 0,
        }
        mine = seat is not None and seat.claims is not None and seat.claims.identity == self.IDENTITIES[who][0]
        if mine or guess or seat is None:
            self.server.say(self.lines[who], "resume", payload)

    @rule(seconds=st.sampled_from([0.1, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.server.tick(seconds)

    @rule(data=st.data(), up=st.booleans())
    def media(self, data: st.DataObject, up: bool) -> None:
        from signaling.call import media

        target = data.draw(st.sampled_from([*self.targets(), "nobody"]))
        if up:
            media.connected(self.server.conversation, target, None, self.server.now)
        else:
            media.gone(self.server.conversation, target, "consent_expired", self.server.now)

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
                self.server.conversation.lost(line, self.server.now)
                self.lines[number] = self.server.line()

    @invariant()
    def everybody_is_who_and_where_the_token_says(self) -> None:
        talk = self.server.conversation
        places = dict(self.IDENTITIES)
        for room in talk.rooms:
            for person in room:
                assert places[person.identity] == room.id
                session = talk.audience.session(person.id)
                assert session is not None
                assert session.claims is not None
                assert (session.claims.identity, session.participant_id) == (person.identity, person.id)
                assert session.state == ("away" if session.carrier is None else "joined")
                assert person.id in self.server.media.people
        assert len(self.server.media.people) == talk.rooms.population

    @invariant()
    def lines_are_counted_right(self) -> None:
        held = [s for s in self.server.conversation.sessions.values() if s.claims is not None and s.carrier is not None]
        assert sum(self.server.conversation.connections._held.values()) == len(held)
        assert all(s.carrier is None or s.carrier.session is s for s in self.server.conversation.sessions.values())


TestAbuse = Abuse.TestCase
TestAbuse.settings = hypothesis_settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES.keys() - {"auth", "resume", "ping"}))
def test_nothing_is_done_before_authentication(kind: str) -> None:
    from tests.signaling.protocol.test_client_messages import GOOD

    server = FakeServer()
    line = server.line()
    server.say(line, kind, GOOD[kind])
    assert line.take("error")["code"] == "unexpected_message"
    assert not server.media.people
