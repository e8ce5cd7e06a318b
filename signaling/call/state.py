"""The state of signaling: rooms, sessions, limits, records, and the port to the media server. Sans-I/O.

Handlers change the state; `conversation.Conversation` passes messages to handlers. `now` is monotonic seconds; `utc` is
the time of tokens and records.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sfu.dtmf import Keys
from sfu.opus import USUAL, OpusWishes
from sfu.probe import Reading
from sfu.selection import MuteFlags
from signaling.call.chronicle import Chronicle, SilentChronicle
from signaling.call.mutes import MuteMemory, TimedFlags
from signaling.call.rooms import LiveRoom, Participant, RoomDirectory, RoomPolicy
from signaling.call.settings import CallSettings
from signaling.clock import SYSTEM_CHANCE
from signaling.errors import ClientMistake, ClosingMistake
from signaling.identity.deny_list import DenyList, MemoryDenyList
from signaling.identity.tokens import Tokens
from signaling.ids import RandomBytes
from signaling.limits import ConcurrencyLimit, JoinGate, KeyedLimit
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Carrier, Session


class MediaParticipants(Protocol):
    """The part of `sfu.participants.Participants` that a conversation uses."""

    def add(self, room_id: str, participant_id: str, flags: MuteFlags) -> None:
        """A participant joins; an offer may follow."""

    def remove(self, participant_id: str) -> None:
        """A participant leaves, and the peer connection ends. One who is in no room is passed over."""

    def move(self, participant_id: str, room_id: str, flags: MuteFlags) -> None:
        """A participant goes to another room, with the same peer connection."""

    def set_flags(self, participant_id: str, flags: MuteFlags) -> None:
        """Set the mute flags, from the next packet on."""

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        """Send DTMF tones as this participant; False where too many are queued."""


class MediaConnections(Protocol):
    """The part of `sfu.connections.Connections` that a conversation uses."""

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        """The answer to a first offer, a changed one or an ICE restart. `opus` goes into the answer's fmtp.

        Raises sfu.errors.BadOffer.
        """

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        """One of the client's ICE candidates, for diagnosis. Raises sfu.errors.BadOffer."""


class MediaObservation(Protocol):
    """The part of `sfu.observation.Observation` that signaling uses."""

    def live(self, room_id: str) -> Sequence[Reading]:
        """The participants of a room: who speaks, and what each one sends at this moment."""

    def gauges(self) -> dict[str, float]:
        """Readings, among them `loop_lag_seconds`."""

    def counters(self) -> dict[str, int]:
        """Cumulative counts."""


class MediaPort(Protocol):
    """The part of `sfu.server.MediaServer` that signaling uses. Its methods do not wait."""

    @property
    def participants(self) -> MediaParticipants:
        """Participants, by room, with their flags."""

    @property
    def connections(self) -> MediaConnections:
        """Their peer connections."""

    @property
    def observation(self) -> MediaObservation:
        """Readings and figures."""


@dataclass(frozen=True, slots=True)
class Records:
    """The deny list and the history. By default the deny list is in memory, and no history is stored."""

    deny_list: DenyList = field(default_factory=MemoryDenyList)
    chronicle: Chronicle = field(default_factory=SilentChronicle)


class Audience:
    """The sessions of participants, and how messages reach one participant or a room."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def attach(self, participant_id: str, session: Session) -> None:
        """Make this the session of a participant."""
        self._sessions[participant_id] = session
        session.participant_id = participant_id

    def detach(self, participant_id: str) -> None:
        """Clear the session of a participant who has left."""
        session = self._sessions.pop(participant_id, None)
        if session is not None:
            session.participant_id = None
            session.standing = None
            session.slots = None

    def session(self, participant_id: str) -> Session | None:
        """The session of a participant."""
        return self._sessions.get(participant_id)

    def sessions(self, room: LiveRoom, *, but: Participant | None = None) -> list[Session]:
        """The sessions of all participants in a room `but` one."""
        sessions = self._sessions
        return [session for person in room if person is not but and (session := sessions.get(person.id)) is not None]

    def send(self, participant_id: str, message: Outgoing) -> None:
        """Send to one participant."""
        session = self._sessions.get(participant_id)
        if session is not None:
            session.send(message)

    def send_room(self, room: LiveRoom, message: Outgoing, *, but: Participant | None = None) -> None:
        """Send to all participants in a room `but` one; the payload is serialised once."""
        sessions = self._sessions
        for person in room:
            if person is not but and (session := sessions.get(person.id)) is not None:
                session.send(message)

    def announce(self, room: LiveRoom, person: Participant, message: Outgoing) -> None:
        """Send a message about `person` to the others in the room, unless `person` is hidden."""
        if not person.hidden:
            self.send_room(room, message, but=person)

    def introduce(self, room: LiveRoom, person: Participant) -> None:
        """Send `participant-joined` to the others in the room, unless `person` is hidden."""
        sessions = [] if person.hidden else self.sessions(room, but=person)
        message = Outgoing("participant-joined", {"participant": person.view()})
        for session in sessions:
            session.send(message)


class State:
    """All rooms, sessions, limits and records. `counters` only grow."""

    def __init__(
        self,
        settings: CallSettings,
        tokens: Tokens,
        media: MediaPort,
        utc: Callable[[], datetime],
        random: RandomBytes = SYSTEM_CHANCE,
        records: Records | None = None,
    ) -> None:
        self.settings = settings
        self.tokens = tokens
        self.media = media
        self.utc = utc
        self.random = random
        self.records = records or Records()
        self.timed_flags = TimedFlags()
        self.mutes_of_absent = MuteMemory()
        self.default_policy = RoomPolicy(
            max_participants=settings.max_participants, duplicate_identity=settings.duplicate_identity
        )
        self.rooms = RoomDirectory(self.default_policy, random)
        self.audience = Audience()
        self.sessions: dict[str, Session] = {}
        self.failed_auths = KeyedLimit(settings.failed_auths_per_minute)
        self.join_limit = KeyedLimit(settings.joins_per_minute)
        self.connections = ConcurrencyLimit(settings.sockets_per_identity)
        self.join_gate = JoinGate(settings.overload_lag_seconds)
        self.counters: Counter[str] = Counter()

    def gauges(self) -> dict[str, float]:
        """The current numbers of sessions, participants and rooms."""
        return {
            "sessions": float(len(self.sessions)),
            "participants": float(self.rooms.population),
            "rooms": float(len(self.rooms)),
        }

    def has_session(self, session_id: str) -> bool:
        """Whether a session with this id exists."""
        return session_id in self.sessions

    def is_empty(self, room_id: str) -> bool:
        """Whether no participant is in the room, hidden ones included."""
        return self.rooms.find(room_id) is None

    def people(self, room_id: str) -> list[Participant]:
        """The participants in a room, in the order of their joins, without hidden ones."""
        return [person for person in self.rooms.find(room_id) or () if not person.hidden]

    def person(self, session: Session) -> Participant:
        """The participant of a session. Raises ClientMistake (`not_in_room`)."""
        person = self.rooms.participant(session.participant_id or "")
        if person is None:
            raise ClientMistake("not_in_room")
        return person

    def refuse(self, session: Session, mistake: ClientMistake, request_id: RequestId = None) -> None:
        """Answer a mistake with `error`; a ClosingMistake also closes the carrier."""
        self.counters[f"errors_{mistake.code}"] += 1
        problem: dict[str, object] = {"code": mistake.code, "message": mistake.message}
        if mistake.details:
            problem["details"] = mistake.details
        session.send(Outgoing("error", problem), request_id)
        if isinstance(mistake, ClosingMistake) and session.carrier is not None:
            session.carrier.close(mistake.code)

    def end(self, session: Session, event: str, code: str | None = None) -> Carrier | None:
        """End a session. Its carrier is closed with `code`; without one it stays open and is returned."""
        if session.carrier is not None:
            release_connection(self, session)
        carrier = session.end(event)
        self.sessions.pop(session.id, None)
        if carrier is not None:
            carrier.session = None
            if code is not None:
                carrier.close(code)
        return carrier


def announce_update(state: State, person: Participant, *, to_self: bool = False) -> Outgoing:
    """Send `participant-updated` to the others, and `to_self`; returns the message, for an answer."""
    room = state.rooms.find(person.room_id)
    assert room is not None
    sessions = [] if person.hidden else state.audience.sessions(room, but=person)
    own = state.audience.session(person.id)
    if to_self and own is not None:
        sessions.append(own)
    message = Outgoing("participant-updated", {"participant": person.view()})
    for session in sessions:
        session.send(message)
    return message


def count_connection(state: State, identity: str) -> None:
    """Count a connection of an identity. Raises ClosingMistake (`rate_limited`)."""
    if not state.connections.acquire(identity):
        most = state.settings.sockets_per_identity
        raise ClosingMistake("rate_limited", f"an identity may have at most {most} connections")


def release_connection(state: State, session: Session) -> None:
    """Stop counting the connection of a session."""
    if session.claims is not None:
        state.connections.release(session.claims.identity)


def within_rate(state: State, carrier: Carrier, now: float) -> bool:
    """Count a message; whether it is within the rate. The first one over it is answered, a flood closes the carrier."""
    session = carrier.session
    if session is None:
        return False
    verdict = session.guard.check(now)
    if verdict == "pass":
        return True
    settings = state.settings
    details: dict[str, object] = {
        "messages_per_second": settings.messages_per_second,
        "burst": settings.message_burst,
    }
    if verdict == "tell":
        state.refuse(session, ClientMistake("rate_limited", details=details))
    elif verdict == "close":
        state.refuse(session, ClosingMistake("rate_limited", details=details))
    return False
