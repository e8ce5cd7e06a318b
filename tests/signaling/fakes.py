"""Stand-ins for the conversation's neighbours: a media server, a carrier, a clock, a source of randomness."""

import itertools
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sfu.dtmf import Keys
from sfu.errors import BadOffer
from sfu.offer import Candidate
from sfu.opus import USUAL, OpusWishes
from sfu.probe import Reading
from sfu.sdp import parse_candidate
from sfu.selection import MuteFlags
from signaling.call.chronicle import AuditEvent, SentMessage, SilentChronicle
from signaling.call.conversation import Conversation
from signaling.call.settings import CallSettings
from signaling.call.state import Records
from signaling.identity.grants import Grants, Role
from signaling.identity.tokens import Tokens
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing, frame
from signaling.protocol.session import Carrier, Session
from signaling.storage.messages import Message, check_message

SECRET = "a2V5cyBmb3IgdGVzdHMgb25seSwgbm8gcmVhbCBvbmU"
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeMedia:
    """The surface of the media server, all its parts in one; remembers what it was asked."""

    def __init__(self) -> None:
        self.people: dict[str, MuteFlags] = {}
        self.removed: list[str] = []
        self.wishes: dict[str, OpusWishes] = {}
        self.moved: list[tuple[str, str]] = []
        self.pressed: list[tuple[str, Keys]] = []
        self.most_pressed = 100
        self.candidates: list[tuple[str, Candidate]] = []
        self.lag = 0.0
        self.fault: Exception | None = None
        self.participants = self.connections = self.observation = self

    def add(self, room_id: str, participant_id: str, flags: MuteFlags) -> None:
        if self.fault:
            raise self.fault
        self.people[participant_id] = flags

    def remove(self, participant_id: str) -> None:
        self.people.pop(participant_id, None)
        self.removed.append(participant_id)

    def move(self, participant_id: str, room_id: str, flags: MuteFlags) -> None:
        self.moved.append((participant_id, room_id))
        self.people[participant_id] = flags

    def set_flags(self, participant_id: str, flags: MuteFlags) -> None:
        self.people[participant_id] = flags

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        self.pressed.append((participant_id, keys))
        return len(self.pressed) <= self.most_pressed

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        self.wishes[participant_id] = opus
        if self.fault:
            raise self.fault
        if not offer_sdp.startswith("v=0"):
            raise BadOffer("no_codec" if offer_sdp == "pcmu" else "duplicate_mid", "not an offer")
        return f"answer to {participant_id}"

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        self.candidates.append((participant_id, parse_candidate(candidate)))

    def live(self, room_id: str) -> list[Reading]:
        return [Reading(one, False, 0.0, 0.0) for one in self.people]

    def gauges(self) -> dict[str, float]:
        return {"loop_lag_seconds": self.lag}

    def counters(self) -> dict[str, int]:
        return {}


class FakeCarrier:
    """A carrier that keeps what it is given."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        self.session: Session | None = None
        self.address = address
        self.user_agent = "Tests/1.0"
        self.frames: list[dict[str, Any]] = []
        self.closed: str | None = None

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        assert self.closed is None, "nothing is delivered after close"
        self.frames.append(orjson.loads(frame(message, seq, request_id)))

    def close(self, code: str) -> None:
        self.closed = self.closed or code

    def take(self, kind: str | None = None) -> Any:
        """All frames so far, and they are gone; with `kind` the payload of the only one of that type."""
        frames, self.frames = self.frames, []
        if kind is None:
            return frames
        (only,) = [frame["payload"] for frame in frames if frame["type"] == kind]
        return only

    @property
    def types(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class FakeChronicle(SilentChronicle):
    """Keeps acts and stored messages for the test; refuses messages as the real one does."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.kept: list[SentMessage] = []

    def message_sent(self, message: SentMessage) -> None:
        check_message(Message(**asdict(message)))
        self.kept.append(message)

    def acted(self, event: AuditEvent) -> None:
        self.events.append(event)


def receive(talk: Conversation, line: Carrier, text: str | bytes, now: float) -> None:
    """One message of a client, for which nothing is looked up."""
    request = talk.read(line, text, now)
    if request is not None:
        talk.act(line, request, now)


class FakeServer:
    """A conversation with fake neighbours and a clock that stands until it is moved."""

    def __init__(self, **settings: Any) -> None:
        self.now = 1000.0
        self.tokens = Tokens(SECRET)
        self.media = FakeMedia()
        self.audit = FakeChronicle()
        seeds = itertools.count(1)
        self.conversation = Conversation(
            CallSettings(**settings),
            self.tokens,
            self.media,
            self.utc,
            lambda size: next(seeds).to_bytes(size, "big"),
            Records(chronicle=self.audit),
        )
        self._ids = itertools.count(1)

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.now - 1000.0)

    def token(self, identity: str, room: str = "lobby", role: Role | None = None, **grants: Any) -> str:
        granted = Grants(room=room, room_join=True, **grants)
        return self.tokens.issue(identity, grants=granted, utc=self.utc(), role=role)

    def line(self, token: str | None = None) -> FakeCarrier:
        line = FakeCarrier()
        self.conversation.open(line, self.now, token)
        return line

    def say(self, line: FakeCarrier, kind: str, payload: dict[str, Any] | None = None, *, quiet: bool = False) -> None:
        """Send one message; with an id unless `quiet`."""
        message: dict[str, Any] = {"type": kind, "payload": payload or {}}
        if not quiet:
            message["id"] = next(self._ids)
        receive(self.conversation, line, orjson.dumps(message).decode(), self.now)

    def enter(self, identity: str, room: str = "lobby", role: Role | None = None, **grants: Any) -> FakeCarrier:
        """Somebody who has joined; what was sent so far is kept in `line.frames`."""
        line = self.line(self.token(identity, room, role, **grants))
        self.say(line, "join", {"room": room})
        assert line.frames[-1]["type"] == "joined", line.frames
        return line

    def people(self, *identities: str) -> list[FakeCarrier]:
        """Several who have joined, with nothing unread."""
        lines = [self.enter(identity) for identity in identities]
        for line in lines:
            line.take()
        return lines

    def tick(self, seconds: float) -> None:
        """Let time pass and do what is due."""
        self.now += seconds
        for session in self.conversation.due(self.now):
            self.conversation.expire(session, self.now)
        self.conversation.clear_up(self.now)


def pid(line: FakeCarrier) -> str:
    """The participant id of whoever is on this line."""
    assert line.session is not None
    assert line.session.participant_id is not None
    return line.session.participant_id
