"""What a room asks of who comes in, and what it gives them. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from signaling.identity.grants import RANK, Role

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
