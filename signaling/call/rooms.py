"""Rooms with participants in them, their policies, their live calls, and the directory of them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast

from sfu.selection import MuteFlags
from signaling.clock import SYSTEM_CHANCE, rfc3339
from signaling.errors import ClientMistake
from signaling.identity.grants import RANK, Role
from signaling.ids import RandomBytes, uuid7
from signaling.protocol.server_messages import EarlyEnd, LiveCallView, ParticipantView
from signaling.protocol.states import step_participant

DuplicatePolicy = Literal["kick_old", "reject_new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPolicy:
    """The rules of one room. `version` is that of a stored room, 0 for any other.

    `duplicate_identity` says which session of an identity stays when a second one joins. `scheduled_end` is aware UTC.
    `message_days` are the days for which the room stores messages, None where it does not.
    """

    version: int = 0
    room_type: str = "group"
    owner: str | None = None
    guild_id: str | None = None
    max_participants: int = 200
    duplicate_identity: DuplicatePolicy = "kick_old"
    is_private: bool = False
    has_password: bool = False
    is_moderated: bool = False
    quality_preset: str = "standard"
    scheduled_end: datetime | None = None
    message_days: int | None = None

    @property
    def needs_key(self) -> bool:
        """Whether a member needs the password, an invite or a higher role besides the token."""
        return self.is_private or self.has_password

    @property
    def needs_floor(self) -> bool:
        """Whether members are suppressed until a moderator gives them the floor. `global` rooms are announcements."""
        return self.is_moderated or self.room_type == "global"

    def has_ended(self, utc: datetime) -> bool:
        """Whether its scheduled end has come."""
        return self.scheduled_end is not None and self.scheduled_end <= utc

    def gives_floor(self, role: Role) -> bool:
        """Whether a participant of this role may speak without being given the floor."""
        return not self.needs_floor or RANK[role] >= RANK["moderator"]

    def role_of(self, identity: str, role: Role, invited_as: Role | None = None) -> Role:
        """The role in the room: the highest of the token's, the invite's, and `owner` for the room's owner."""
        roles: list[Role] = [role, invited_as or "member", "owner" if identity == self.owner else "member"]
        return max(roles, key=RANK.__getitem__)


@dataclass(slots=True)
class LiveCall:
    """The call of a room. `id` is that of the history; times are aware UTC. `reason` is set if it ends early."""

    id: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: EarlyEnd | None = None

    def end(self, reason: EarlyEnd, utc: datetime) -> bool:
        """End the call early; whether it was active until now."""
        if self.ended_at is not None:
            return False
        self.ended_at, self.reason = utc, reason
        return True

    def view(self) -> LiveCallView:
        """The call as in `joined` and `call-state-changed`."""
        view: LiveCallView = {"id": self.id, "state": "active", "started_at": rfc3339(self.started_at)}
        if self.ended_at is not None and self.reason is not None:
            view |= {"state": "ended", "ended_at": rfc3339(self.ended_at), "reason": self.reason}
        return view


@dataclass(slots=True)
class Participant:
    """One participant of one room. `id` is new with each join, `identity` is the token's.

    `media_up` says whether the peer connection is up. `may_publish`, `may_hear` and `hidden` come from the token. A
    participant who may not publish is suppressed, whatever the room's policy says.
    """

    id: str
    identity: str
    name: str
    role: Role
    room_id: str
    joined_at: datetime
    flags: MuteFlags = field(default_factory=MuteFlags)
    may_publish: bool = True
    may_hear: bool = True
    hidden: bool = False
    state: str = "joining"
    media_up: bool = False

    def step(self, event: str) -> bool:
        """Change the state by the table of states; whether it has changed."""
        before = self.state
        self.state = step_participant(before, event)
        return self.state != before

    def change_flags(self, **flags: bool) -> bool:
        """Set some of the flags; whether any has changed."""
        before = self.flags
        self.flags = replace(before, **flags)
        return self.flags != before

    @property
    def media_flags(self) -> MuteFlags:
        """The flags for the media server: as set, and deaf where the token does not allow to hear."""
        return self.flags if self.may_hear else replace(self.flags, deaf=True)

    def view(self) -> ParticipantView:
        """The participant as the others see it."""
        flags = self.flags
        return {
            "id": self.id,
            "identity": self.identity,
            "name": self.name,
            "role": "owner" if self.role == "operator" else self.role,
            "state": cast(Literal["joined", "active", "reconnecting"], self.state),
            "self_mute": flags.self_mute,
            "self_deaf": flags.self_deaf,
            "mute": flags.mute,
            "deaf": flags.deaf,
            "suppressed": flags.suppressed,
            "held": flags.held,
            "joined_at": rfc3339(self.joined_at),
        }


class LiveRoom:
    """A room with participants in it, in the order of their joins, with its policy, its call and its floor."""

    def __init__(self, room_id: str, policy: RoomPolicy) -> None:
        self.id = room_id
        self.policy = policy
        self._call: LiveCall | None = None
        self._people: dict[str, Participant] = {}
        self._floor: dict[str, bool] = {}
        self._floor_ends: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Participant]:
        return iter(self._people.values())

    @property
    def call(self) -> LiveCall:
        """The current call. Only for a room that a participant has entered."""
        assert self._call is not None
        return self._call

    def enter(self, person: Participant, random: RandomBytes) -> None:
        """Add a participant. Begins a call, at its `joined_at`, where none is active."""
        if self._call is None or self._call.ended_at is not None:
            self._call = LiveCall(uuid7(person.joined_at, random), person.joined_at)
        self._people[person.id] = person

    def get(self, participant_id: str) -> Participant:
        """The participant with this id. Raises ClientMistake (`no_such_participant`)."""
        try:
            return self._people[participant_id]
        except KeyError:
            raise ClientMistake("no_such_participant") from None

    def find(self, participant_id: str) -> Participant | None:
        """The participant with this id, if it is in the room."""
        return self._people.get(participant_id)

    def with_identity(self, identity: str) -> Participant | None:
        """The participant with this identity, if it is in the room."""
        return next((person for person in self if person.identity == identity), None)

    def check_place(self, identity: str) -> Participant | None:
        """The older participant of the same identity, which must leave first; None if there is none.

        Raises ClientMistake: `duplicate_identity` under `reject_new`, `room_full`.
        """
        older = self.with_identity(identity)
        if older is not None:
            if self.policy.duplicate_identity == "reject_new":
                raise ClientMistake("duplicate_identity")
        elif len(self) >= self.policy.max_participants:
            raise ClientMistake("room_full", f"the room accepts at most {self.policy.max_participants} participants")
        return older

    def set_floor(self, identity: str, given: bool | None, ends: float | None = None) -> None:
        """Give or take the floor until `ends`, None for the end of the call. `given` None restores the policy."""
        self._floor_ends.pop(identity, None)
        if given is None:
            self._floor.pop(identity, None)
            return
        self._floor[identity] = given
        if ends is not None:
            self._floor_ends[identity] = ends

    def floor_due(self, now: float) -> list[str]:
        """The identities whose time with or without the floor is over."""
        return [identity for identity, ends in self._floor_ends.items() if ends <= now]

    def suppresses(self, person: Participant) -> bool:
        """Whether the token, the policy or a moderator denies a participant the floor."""
        has_floor = self._floor.get(person.identity, self.policy.gives_floor(person.role))
        return not (person.may_publish and has_floor)

    def views(self, viewer: Participant) -> list[ParticipantView]:
        """All participants as `viewer` sees them: hidden ones are seen by themselves only."""
        return [person.view() for person in self if not person.hidden or person is viewer]


CLOSED_SECONDS = 60.0
"""A deleted room is remembered for this time, which is longer than any look-up of a join."""


class RoomDirectory:
    """The rooms of this server with participants in them. A room and its call last from its first participant to its
    last. `default_policy` is that of rooms that are not stored.
    """

    def __init__(self, default_policy: RoomPolicy | None = None, random: RandomBytes = SYSTEM_CHANCE) -> None:
        self.default_policy = default_policy or RoomPolicy()
        self._random = random
        self._rooms: dict[str, LiveRoom] = {}
        self._people: dict[str, Participant] = {}
        self._closed: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[LiveRoom]:
        return iter(self._rooms.values())

    @property
    def population(self) -> int:
        """Participants in all rooms."""
        return len(self._people)

    def find(self, room_id: str) -> LiveRoom | None:
        """The room, if it has participants."""
        return self._rooms.get(room_id)

    def participant(self, participant_id: str) -> Participant | None:
        """The participant with this id, of any room."""
        return self._people.get(participant_id)

    def prospect(self, room_id: str, policy: RoomPolicy | None = None) -> LiveRoom:
        """The room, or a new one with this policy, which is not added."""
        return self._rooms.get(room_id) or LiveRoom(room_id, policy or self.default_policy)

    def admit(self, participant: Participant, policy: RoomPolicy | None = None) -> LiveRoom:
        """Add a participant to its room. Raises ClientMistake as `check_place`, and for an older participant."""
        room = self.prospect(participant.room_id, policy)
        if room.check_place(participant.identity) is not None:
            raise ClientMistake("duplicate_identity")
        participant.step("admitted")
        participant.change_flags(suppressed=room.suppresses(participant))
        room.enter(participant, self._random)
        self._rooms[room.id] = room
        self._people[participant.id] = participant
        return room

    def transfer(self, participant: Participant, room_id: str, policy: RoomPolicy, utc: datetime) -> LiveRoom:
        """Move a participant to another room at `utc`; an empty room ends. Raises ClientMistake as `admit`."""
        room = self.prospect(room_id, policy)
        if room.check_place(participant.identity) is not None:
            raise ClientMistake("duplicate_identity")
        former = self._rooms[participant.room_id]
        del former._people[participant.id]
        if not former:
            del self._rooms[former.id]
        participant.room_id, participant.joined_at = room_id, utc
        room.enter(participant, self._random)
        self._rooms[room_id] = room
        return room

    def remove(self, participant: Participant) -> None:
        """Remove a participant; an empty room ends. Does nothing for one who is not in a room."""
        if self._people.pop(participant.id, None) is None:
            return
        participant.step("left")
        room = self._rooms[participant.room_id]
        del room._people[participant.id]
        if not room:
            del self._rooms[room.id]

    def close(self, room_id: str, now: float) -> None:
        """Remember that the room was deleted at `now`."""
        self._closed[room_id] = now

    def closed_since(self, room_id: str, asked_at: float) -> bool:
        """Whether the room was deleted at `asked_at` or later."""
        return self._closed.get(room_id, float("-inf")) >= asked_at

    def forget_closed(self, now: float) -> None:
        """Drop deletions older than `CLOSED_SECONDS`."""
        self._closed = {room_id: at for room_id, at in self._closed.items() if at > now - CLOSED_SECONDS}
