"""Live rooms: policy, live call, participants, and the directory of all rooms. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast

from sfu.selection import MuteFlags
from signaling.clock import SYSTEM_CHANCE
from signaling.errors import ClientMistake
from signaling.identity.grants import RANK, Role
from signaling.ids import RandomBytes, uuid7
from signaling.protocol.server_messages import EarlyEnd, LiveCallView, ParticipantView, rfc3339
from signaling.protocol.states import step_participant

DuplicatePolicy = Literal["kick_old", "reject_new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPolicy:
    """The rules of one room: `version` counts those of one that is kept in the database; 0 are those of any other.

    `duplicate_identity` says what becomes of an identity that comes a second time. `scheduled_end` is aware UTC.
    `message_days` is for how long messages are kept, None where they are not.
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
        """Whether a token alone does not let a member in: it takes the password, an invite, or a higher role."""
        return self.is_private or self.has_password

    @property
    def needs_floor(self) -> bool:
        """Whether members arrive suppressed, until somebody gives them the floor; `global` rooms are announcements."""
        return self.is_moderated or self.room_type == "global"

    def has_ended(self, utc: datetime) -> bool:
        """Whether the time that was set for its end has come."""
        return self.scheduled_end is not None and self.scheduled_end <= utc

    def gives_floor(self, role: Role) -> bool:
        """Whether somebody of this role may speak on arrival."""
        return not self.needs_floor or RANK[role] >= RANK["moderator"]

    def role_of(self, identity: str, role: Role, invited_as: Role | None = None) -> Role:
        """The role of somebody here: the highest of the token's, the invite's, and that of the room's owner."""
        roles: list[Role] = [role, invited_as or "member", "owner" if identity == self.owner else "member"]
        return max(roles, key=RANK.__getitem__)


@dataclass(slots=True)
class LiveCall:
    """`id` is the one that history has; times are aware UTC. A call that ends as its last leaves needs no `reason`."""

    id: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: EarlyEnd | None = None

    def end(self, reason: EarlyEnd, utc: datetime) -> bool:
        """End it for all who are in it; whether it was on until now."""
        if self.ended_at is not None:
            return False
        self.ended_at, self.reason = utc, reason
        return True

    def view(self) -> LiveCallView:
        """What those who are in the room are told."""
        view: LiveCallView = {"id": self.id, "state": "active", "started_at": rfc3339(self.started_at)}
        if self.ended_at is not None and self.reason is not None:
            view |= {"state": "ended", "ended_at": rfc3339(self.ended_at), "reason": self.reason}
        return view


@dataclass(slots=True)
class Participant:
    """One person in one room. `id` is new with each join, `identity` is the token's.

    `media_up` says whether the peer connection stands. `may_publish`, `may_hear` and `hidden` come from the token; who
    may not be heard by it is suppressed, whatever the room says.
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
        """Move on by the table of states; whether the state is another one now."""
        before = self.state
        self.state = step_participant(before, event)
        return self.state != before

    def change_flags(self, **flags: bool) -> bool:
        """Set some of the flags; whether any is another one now."""
        before = self.flags
        self.flags = replace(before, **flags)
        return self.flags != before

    @property
    def media_flags(self) -> MuteFlags:
        """What the media path enforces: the flags, and deafness where the token does not let this person hear."""
        return self.flags if self.may_hear else replace(self.flags, deaf=True)

    def view(self) -> ParticipantView:
        """What others see."""
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
    """The people in one room, in the order in which they came, and the rules that hold there."""

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
        """The call that is on here. Only of a room that somebody has entered."""
        assert self._call is not None
        return self._call

    def enter(self, person: Participant, random: RandomBytes) -> None:
        """Somebody is here, since its `joined_at`; where no call is on, one begins with them."""
        if self._call is None or self._call.ended_at is not None:
            self._call = LiveCall(uuid7(person.joined_at, random), person.joined_at)
        self._people[person.id] = person

    def get(self, participant_id: str) -> Participant:
        """The participant. Raises ClientMistake (`no_such_participant`)."""
        try:
            return self._people[participant_id]
        except KeyError:
            raise ClientMistake("no_such_participant") from None

    def with_identity(self, identity: str) -> Participant | None:
        """Whoever has this identity here."""
        return next((person for person in self if person.identity == identity), None)

    def check_place(self, identity: str) -> Participant | None:
        """Whether `identity` may come in, and who must make room for it first: its own older self, or nobody.

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
        """Give the floor or take it, until `ends` (None: while anybody is here). `given` None: as the rules have it."""
        self._floor_ends.pop(identity, None)
        if given is None:
            self._floor.pop(identity, None)
            return
        self._floor[identity] = given
        if ends is not None:
            self._floor_ends[identity] = ends

    def floor_due(self, now: float) -> list[str]:
        """Whose floor, or lack of it, has come to its end."""
        return [identity for identity, ends in self._floor_ends.items() if ends <= now]

    def suppresses(self, person: Participant) -> bool:
        """Whether a rule silences somebody: the token does, or the floor was not given, or was taken."""
        has_floor = self._floor.get(person.identity, self.policy.gives_floor(person.role))
        return not (person.may_publish and has_floor)

    def views(self, viewer: Participant) -> list[ParticipantView]:
        """Everybody, as `viewer` may see them: the hidden only see themselves."""
        return [person.view() for person in self if not person.hidden or person is viewer]


CLOSED_SECONDS = 60.0
"""How long the deletion of a room is remembered, for joins that were on their way: longer than any look-up."""


class RoomDirectory:
    """The rooms of this server where somebody is. One comes into being with its first participant, and ends with its
    last, and so does its call. `default_policy` is that of rooms that nobody keeps.
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
        """The room, if anybody is in it."""
        return self._rooms.get(room_id)

    def participant(self, participant_id: str) -> Participant | None:
        """A participant of any room."""
        return self._people.get(participant_id)

    def prospect(self, room_id: str, policy: RoomPolicy | None = None) -> LiveRoom:
        """The room, or one under these rules that would be made by the first to enter it; nothing is changed."""
        return self._rooms.get(room_id) or LiveRoom(room_id, policy or self.default_policy)

    def admit(self, participant: Participant, policy: RoomPolicy | None = None) -> LiveRoom:
        """Put a participant in its room. Raises ClientMistake as `check_place` does, also for an older self."""
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
        """Take somebody from one room to another, at `utc`; an empty one ends. Raises ClientMistake as `admit`."""
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
        """Take somebody out; an empty room ends. Does nothing for who is not in."""
        if self._people.pop(participant.id, None) is None:
            return
        participant.step("left")
        room = self._rooms[participant.room_id]
        del room._people[participant.id]
        if not room:
            del self._rooms[room.id]

    def close(self, room_id: str, now: float) -> None:
        """Remember that the room was deleted just now."""
        self._closed[room_id] = now

    def closed_since(self, room_id: str, asked_at: float) -> bool:
        """Whether the room was deleted after somebody had asked for it."""
        return self._closed.get(room_id, float("-inf")) >= asked_at

    def forget_closed(self, now: float) -> None:
        """Let go of deletions that nobody can have overlooked."""
        self._closed = {room_id: at for room_id, at in self._closed.items() if at > now - CLOSED_SECONDS}
