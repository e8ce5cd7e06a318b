"""The state of signaling: rooms, sessions, limits and records, with the media server as a port. Sans-I/O.

Handlers change it; `conversation.Conversation` hands messages to handlers. `now` is monotonic seconds; `utc` is the
time of tokens and of records.
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
from signaling.call.chronicle import Chronicle, LoggedChronicle
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
        """Silence or unsilence, from the next packet on."""

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        """Send DTMF tones as this participant; False where too many wait already."""


class MediaConnections(Protocol):
    """The part of `sfu.connections.Connections` that a conversation uses."""

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        """The answer to a first offer, a changed one or an ICE restart; `opus` is asked of the client's encoder.

        Raises sfu.errors.BadOffer.
        """

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        """One of the client's ICE candidates, for diagnosis. Raises sfu.errors.BadOffer."""


class MediaObservation(Protocol):
    """The part of `sfu.observation.Observation` that signaling uses."""

    def live(self, room_id: str) -> Sequence[Reading]:
        """Who is in a room, who speaks, and what each participant sends at this moment."""

    def gauges(self) -> dict[str, float]:
        """Readings, among them `loop_lag_seconds`."""

    def counters(self) -> dict[str, int]:
        """Cumulative counts."""


class MediaPort(Protocol):
    """The part of `sfu.server.MediaServer` that a conversation uses. None of it waits."""

    @property
    def participants(self) -> MediaParticipants:
        """Who is in which room, and under which flags."""

    @property
    def connections(self) -> MediaConnections:
        """Their peer connections."""

    @property
    def observation(self) -> MediaObservation:
        """Readings and figures."""


@dataclass(frozen=True, slots=True)
class Records:
    """In memory and in the log, unless others are given."""

    deny_list: DenyList = field(default_factory=MemoryDenyList)
    chronicle: Chronicle = field(default_factory=LoggedChronicle)


class Audience:
    """Which session speaks for which participant, and the ways of telling one or many."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def seat(self, participant_id: str, session: Session) -> None:
        """From now on this session speaks for this participant."""
        self._sessions[participant_id] = session
        session.participant_id = participant_id

    def vacate(self, participant_id: str) -> None:
        """Nobody speaks for this participant any more."""
        session = self._sessions.pop(participant_id, None)
        if session is not None:
            session.participant_id = None
            session.standing = None
            session.slots = None

    def session(self, participant_id: str) -> Session | None:
        """Who speaks for this participant."""
        return self._sessions.get(participant_id)

    def tell(self, participant_id: str, message: Outgoing) -> None:
        """Send to one."""
        session = self._sessions.get(participant_id)
        if session is not None:
            session.send(message)

    def tell_room(self, room: LiveRoom, message: Outgoing, *, but: Participant | None = None) -> None:
        """Send to everybody in the room, `but` one; the payload is serialised once."""
        sessions = self._sessions
        for person in room:
            if person is not but and (session := sessions.get(person.id)) is not None:
                session.send(message)

    def announce(self, room: LiveRoom, person: Participant, message: Outgoing) -> None:
        """Tell the others something about `person`, unless it is hidden from them."""
        if not person.hidden:
            self.tell_room(room, message, but=person)


class State:
    """Everything that signaling knows. `counters` only grow."""

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
        self.rooms = RoomDirectory(
            RoomPolicy(max_participants=settings.max_participants, duplicate_identity=settings.duplicate_identity),
            random,
        )
        self.audience = Audience()
        self.sessions: dict[str, Session] = {}
        self.failed_auths = KeyedLimit(settings.failed_auths_per_minute)
        self.join_limit = KeyedLimit(settings.joins_per_minute)
        self.lines = ConcurrencyLimit(settings.sockets_per_identity)
        self.join_gate = JoinGate(settings.overload_lag_seconds)
        self.counters: Counter[str] = Counter()

    def person(self, session: Session) -> Participant:
        """The participant that a session speaks for. Raises ClientMistake (`not_in_room`)."""
        person = self.rooms.participant(session.participant_id or "")
        if person is None:
            raise ClientMistake("not_in_room")
        return person

    def refuse(self, session: Session, mistake: ClientMistake, request_id: RequestId = None) -> None:
        """Answer a mistake; a ClosingMistake also ends the line."""
        self.counters[f"errors_{mistake.code}"] += 1
        problem: dict[str, object] = {"code": mistake.code, "message": mistake.message}
        if mistake.details:
            problem["details"] = mistake.details
        session.send(Outgoing("error", problem), request_id)
        if isinstance(mistake, ClosingMistake) and session.carrier is not None:
            session.carrier.close(mistake.code)

    def end(self, session: Session, event: str, code: str | None = None) -> Carrier | None:
        """A session is over; its line, if it has one, is closed for the reason `code`, or else given back."""
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
    """Tell the others how somebody stands now; the message is given back for the person's own answer."""
    message = Outgoing("participant-updated", {"participant": person.view()})
    room = state.rooms.find(person.room_id)
    assert room is not None
    state.audience.announce(room, person, message)
    if to_self:
        state.audience.tell(person.id, message)
    return message


def count_connection(state: State, identity: str) -> None:
    """Count a line of an identity. Raises ClosingMistake (`rate_limited`)."""
    if not state.lines.acquire(identity):
        most = state.settings.sockets_per_identity
        raise ClosingMistake("rate_limited", f"an identity may have at most {most} connections")


def release_connection(state: State, session: Session) -> None:
    """Count it no longer."""
    if session.claims is not None:
        state.lines.release(session.claims.identity)


def within_rate(state: State, carrier: Carrier, now: float) -> bool:
    """Count one; whether it is within the limit. The first that is not is told, and a flood ends the line."""
    session = carrier.session
    if session is None:
        return False
    verdict = session.guard.check(now)
    settings = state.settings
    details: dict[str, object] = {
        "messages_per_second": settings.messages_per_second,
        "burst": settings.message_burst,
    }
    if verdict == "tell":
        state.refuse(session, ClientMistake("rate_limited", details=details))
    elif verdict == "close":
        state.refuse(session, ClosingMistake("rate_limited", details=details))
    return verdict == "pass"
