"""Request and response models of rooms. Pure.

What a field may hold is decided by `storage.room_record`, for every way in; here are only names and types.
"""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator

from signaling.identity.names import clean_title
from signaling.models import Model
from signaling.storage.room_record import Room
from signaling.storage.words import DuplicatePolicy, QualityPreset, RoomType


class RoomSettings(Model):
    """What is chosen of a room."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    name: str = Field("", description="Display name: 1 to 64 characters.")
    description: str = Field("", description="At most 1000 characters.")
    room_type: RoomType = "group"
    owner: str | None = Field(
        None, description="An identity; only operators and services can set another than their own."
    )
    guild_id: str | None = Field(None, description="1 to 64 characters.")
    region: str | None = Field(None, description="1 to 64 characters.")
    max_participants: int = Field(200, description="1 to 10000.")
    is_private: bool = False
    is_temporary: bool = False
    empty_timeout: int = Field(300, description="Seconds.")
    is_moderated: bool = False
    allow_recording: bool = False
    quality_preset: QualityPreset = "standard"
    duplicate_identity: DuplicatePolicy | None = Field(None, description="null: the server's setting applies.")
    scheduled_end: datetime | None = Field(None, description="RFC 3339, with a time zone.")
    settings: dict[str, Any] = Field(default_factory=dict, description="At most 16 KiB of JSON.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="At most 16 KiB of JSON.")

    @field_validator("name")
    @classmethod
    def _clean(cls, value: str) -> str:
        return clean_title(value)

    @field_validator("scheduled_end")
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


class RoomChanges(RoomSettings):
    """The fields to change; all others stay as they are."""

    password: str | None = Field(None, description="Write-only, 1 to 256 characters; null removes the password.")

    def named(self) -> dict[str, Any]:
        """The fields that the request named, without the password."""
        return {name: getattr(self, name) for name in self.model_fields_set if name != "password"}


class RoomOrder(RoomChanges):
    """A room to create."""

    name: str = Field(description="Display name: 1 to 64 characters.")
    id: str | None = Field(None, description="1 to 64 of A-Z a-z 0-9 _ -. Default: the server makes one.")

    def named(self) -> dict[str, Any]:
        """As for changes; the id is no field that changes."""
        named = super().named()
        named.pop("id", None)
        return named


class RoomView(RoomSettings):
    """A stored room, without its password."""

    id: str
    has_password: bool
    version: int = Field(description="Counts changes from 1; the ETag contains it.")
    created_by: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, room: Room) -> Self:
        """The view of a room."""
        fields = {name: getattr(room, name) for name in cls.model_fields if name != "has_password"}
        return cls(has_password=room.password_hash is not None, **fields)

    def as_text(self) -> str:
        """One line of text."""
        return f"{self.id}  {self.name}  ({self.room_type}, {self.max_participants} participants at most)"


class RoomPage(Model):
    """Rooms, newest first; `next_cursor` is null on the last page."""

    items: list[RoomView]
    next_cursor: str | None


class RoomQuery(Model):
    """Which rooms: those that fit all that is given."""

    model_config = ConfigDict(hide_input_in_errors=True)

    type: RoomType | None = None
    guild: str | None = None
    owner: str | None = None
    region: str | None = None
    search: str | None = Field(None, description="Text that the name contains, ignoring case; 1 to 64 characters.")
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, description="The `next_cursor` of the previous page.")
