"""Rooms and who is in them, in memory. Pure.

A participant is a person in a room. It is neither a session (a person's line to us, which may be lost and resumed) nor
an endpoint (the server's end of a peer connection, of which there may be none).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast

from sfu.flags import MuteFlags
from signaling.errors import ClientMistake
from signaling.identity.grants import Role
from signaling.protocol.server_messages import ParticipantView, rfc3339
from signaling.protocol.states import step_participant

DuplicatePolicy = Literal["kick_old", "reject_new"]


@dataclass(slots=True)
class Participant:
    """One person in one room. `id` is new with each join, `identity` is the token's.

    `media_up` says whether the peer connection stands. `may_hear` and `hidden` come from the token; who may not be
    heard by its token arrives suppressed.
    """

    id: str
    identity: str
    name: str
    role: Role
    room_id: str
    joined_at: datetime
    flags: MuteFlags = field(default_factory=MuteFlags)
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
        """Set some of the five flags; whether any is another one now."""
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
            "joined_at": rfc3339(self.joined_at),
        }


class Room:
    """The people in one room, in the order in which they came."""

    def __init__(self, room_id: str, max_participants: int, duplicate_identity: DuplicatePolicy) -> None:
        self.id = room_id
        self.max_participants = max_participants
        self.duplicate_identity = duplicate_identity
        self._people: dict[str, Participant] = {}

    def __len__(self) -> int:
        return len(self._people)

    def __iter__(self) -> Iterator[Participant]:
        return iter(self._people.values())

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
            if self.duplicate_identity == "reject_new":
                raise ClientMistake("duplicate_identity")
        elif len(self) >= self.max_participants:
            raise ClientMistake("room_full", f"the room takes {self.max_participants} people")
        return older

    def views(self, viewer: Participant) -> list[ParticipantView]:
        """Everybody, as `viewer` may see them: the hidden only see themselves."""
        return [person.view() for person in self if not person.hidden or person is viewer]


class RoomDirectory:
    """The rooms of this server. A room comes into being with its first participant and ends with its last."""

    def __init__(self, max_participants: int = 200, duplicate_identity: DuplicatePolicy = "kick_old") -> None:
        self._max_participants = max_participants
        self._duplicate_identity: DuplicatePolicy = duplicate_identity
        self._rooms: dict[str, Room] = {}
        self._people: dict[str, Participant] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    @property
    def population(self) -> int:
        """Participants in all rooms."""
        return len(self._people)

    def find(self, room_id: str) -> Room | None:
        """The room, if anybody is in it."""
        return self._rooms.get(room_id)

    def participant(self, participant_id: str) -> Participant | None:
        """A participant of any room."""
        return self._people.get(participant_id)

    def prospect(self, room_id: str) -> Room:
        """The room, or one that would be made by the first to enter it; nothing is changed."""
        return self._rooms.get(room_id) or Room(room_id, self._max_participants, self._duplicate_identity)

    def admit(self, participant: Participant) -> Room:
        """Put somebody in its room. Raises ClientMistake as `Room.check_place`, also where an older self is there."""
        room = self.prospect(participant.room_id)
        if room.check_place(participant.identity) is not None:
            raise ClientMistake("duplicate_identity")
        participant.step("admitted")
        room._people[participant.id] = participant
        self._rooms[room.id] = room
        self._people[participant.id] = participant
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
