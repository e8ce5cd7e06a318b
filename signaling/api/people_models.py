"""Response models of participants, calls and their history. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator

from sfu.offer import CandidateType
from sfu.probe import Reading
from signaling.call.rooms import Participant
from signaling.models import Model
from signaling.protocol.server_messages import LeaveReason
from signaling.storage.calls import Call, PeopleFilter, Presence
from signaling.storage.media_sessions import MediaSession, Transport
from signaling.storage.pages import Place, decode_cursor, encode_cursor
from signaling.storage.words import CallEnd, CallState, MediaState, PersonRole


class PageQuery(Model):
    """Which page."""

    model_config = ConfigDict(hide_input_in_errors=True)

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, description="The `next_cursor` of the previous page.")


class TimeQuery(PageQuery):
    """Which page, of what lies in some time."""

    since: datetime | None = Field(None, description="RFC 3339, inclusive.")
    until: datetime | None = Field(None, description="RFC 3339, exclusive.")

    @field_validator("since", "until")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError("a time must be before the year 10000") from None


class HistoryQuery(TimeQuery):
    """Which presences: those that fit all that is given."""

    call: str | None = Field(None, max_length=64, description="The id of a call.")
    identity: str | None = Field(None, max_length=128)

    def wanted(self, room_id: str) -> PeopleFilter:
        """The filter."""
        return PeopleFilter(room_id, self.call, self.identity, self.since, self.until)


class ParticipantNow(Model):
    """A participant who is in the room."""

    id: str
    identity: str
    name: str
    role: Literal["member", "moderator", "owner"]
    state: Literal["joined", "active", "reconnecting"]
    self_mute: bool
    self_deaf: bool
    mute: bool = Field(description="Muted by a moderator.")
    deaf: bool = Field(description="Deafened by a moderator.")
    suppressed: bool = Field(description="Suppressed by the rules of the room or by the token.")
    held: bool = Field(description="On hold.")
    joined_at: datetime


class ParticipantsPage(Model):
    """The participants in the room, in the order of their joins, without hidden ones."""

    items: list[ParticipantNow]
    next_cursor: str | None

    @classmethod
    def of(cls, people: Iterable[Participant], room_id: str, query: PageQuery) -> Self:
        """A page of the participants of a room. Raises ClientMistake (`bad_message`) for an invalid cursor."""
        scope = f"participants now {room_id}"
        seen = sorted((person.joined_at, person.id, person) for person in people)
        if query.cursor is not None:
            after = decode_cursor(scope, query.cursor)
            seen = [one for one in seen if one[:2] > (after.at, after.id)]
        known = ParticipantNow.model_fields
        views = [{name: value for name, value in one[2].view().items() if name in known} for one in seen[: query.limit]]
        more = len(seen) > query.limit
        last = seen[query.limit - 1] if more else None
        return cls(
            items=[ParticipantNow.model_validate(view) for view in views],
            next_cursor=None if last is None else encode_cursor(scope, Place(last[0], last[1])),
        )


class LiveParticipant(Model):
    """What one participant sends at this moment."""

    id: str
    identity: str
    name: str
    muted: bool = Field(description="Nobody may hear the participant: muted, suppressed or on hold.")
    speaking: bool
    level: float = Field(
        ge=0, le=1, description="Linear and smoothed, as the W3C's audioLevel; 0 while nothing is heard."
    )
    packets_per_second: float = Field(
        ge=0, description="RTP packets received, muted or not, over the last second or two."
    )


class LiveView(Model):
    """A room at this moment: its participants in the order in which they joined; hidden ones are not listed."""

    participants: list[LiveParticipant]

    @classmethod
    def of(cls, people: Iterable[tuple[Participant, Reading]]) -> Self:
        """As `signaling.call.media.live` has it; levels to four places, rates to one."""
        return cls(
            participants=[
                LiveParticipant(
                    id=person.id,
                    identity=person.identity,
                    name=person.name,
                    muted=not person.media_flags.may_speak,
                    speaking=reading.speaking,
                    level=round(reading.level, 4),
                    packets_per_second=round(reading.packets_per_second, 1),
                )
                for person, reading in people
            ]
        )


class PresenceView(Model):
    """One participant of a call; `left_at` is null while they are in it."""

    id: str
    call_id: str
    room_id: str
    identity: str
    name: str
    role: PersonRole
    joined_at: datetime
    left_at: datetime | None
    leave_reason: LeaveReason | None
    address: str | None = Field(description="Only if the caller may read the audit trail of the room.")
    user_agent: str | None = Field(description="Only if the caller may read the audit trail of the room.")

    @classmethod
    def of(cls, presence: Presence, *, full: bool) -> Self:
        """The view of a presence; `full` includes its address."""
        fields = {name: getattr(presence, name) for name in cls.model_fields}
        return cls(**(fields if full else fields | {"address": None, "user_agent": None}))


class HistoryPage(Model):
    """Past and present participants, newest first."""

    items: list[PresenceView]
    next_cursor: str | None


class MediaSessionView(Model):
    """One peer connection: when it began, connected and ended, why, and its bytes in each direction."""

    id: str
    participant_id: str
    state: MediaState
    transport: Transport | None
    candidate_type: CandidateType | None = Field(
        description="Type of the client's candidate (RFC 8445); null before media is connected."
    )
    created_at: datetime
    connected_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    bytes_sent: int
    bytes_received: int
    user_agent: str | None = Field(description="Only if the caller may read the audit trail of the room.")

    @classmethod
    def of(cls, session: MediaSession, *, full: bool) -> Self:
        """The view of a peer connection; `full` includes the client's software."""
        fields = {name: getattr(session, name) for name in cls.model_fields}
        return cls(**(fields if full else fields | {"user_agent": None}))


class MediaSessionsPage(Model):
    """The peer connections of one participant, oldest first; the newest 200 if there are more."""

    items: list[MediaSessionView]
    next_cursor: None = None


class CallView(Model):
    """One call in a room: from its first participant to its last."""

    id: str
    room_id: str
    state: CallState
    started_at: datetime
    ended_at: datetime | None
    end_reason: CallEnd | None

    @classmethod
    def of(cls, call: Call) -> Self:
        """The view of a call."""
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class CallsPage(Model):
    """Calls, newest first."""

    items: list[CallView]
    next_cursor: str | None
