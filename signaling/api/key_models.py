"""Request and response models of API keys. Pure."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import ConfigDict, Field, field_validator

from signaling.errors import ClientMistake
from signaling.identity.names import ROOM_ID, clean_title
from signaling.identity.permissions import known_scope
from signaling.models import Model
from signaling.storage.api_keys import ApiKey, KeyOrder

LONGEST_TTL = 10 * 366 * 86_400


class KeyRequest(Model):
    """A request for an API key."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    name: str = Field(description="Display name: 1 to 64 characters.")
    scopes: list[str] = Field(
        min_length=1, max_length=100, description="Actions, families as `room.*`, or `*`; see docs/permissions.md."
    )
    rooms: list[str] | None = Field(
        None, min_length=1, max_length=1000, description="The rooms that the key is limited to. Default: all rooms."
    )
    ttl: int | None = Field(None, ge=1, le=LONGEST_TTL, description="Seconds until the key expires. Default: never.")

    @field_validator("name")
    @classmethod
    def _clean(cls, value: str) -> str:
        return clean_title(value)

    @field_validator("scopes")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for scope in value:
            if not known_scope(scope):
                raise ValueError("each scope is an action, a family such as room.*, or *")
        return value

    @field_validator("rooms")
    @classmethod
    def _room_ids(cls, value: list[str] | None) -> list[str] | None:
        if not all(ROOM_ID.match(room) for room in value or ()):
            raise ValueError("a room is 1 to 64 of A-Z a-z 0-9 _ -")
        return value

    def order(self, created_by: str, utc: datetime) -> KeyOrder:
        """The order for storage. Raises ClientMistake (`bad_message`)."""
        try:
            expires_at = None if self.ttl is None else utc + timedelta(seconds=self.ttl)
        except OverflowError:
            raise ClientMistake("bad_message", "ttl: the end must be before the year 10000") from None
        return KeyOrder(
            name=self.name,
            created_by=created_by,
            scopes=set(self.scopes),
            rooms=None if self.rooms is None else set(self.rooms),
            expires_at=expires_at,
        )


class KeyView(Model):
    """A key without its secret."""

    id: str
    prefix: str = Field(description="The public part: the key is parley_(prefix)_(secret).")
    name: str
    scopes: list[str]
    rooms: list[str] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="Accurate to the minute.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The view of a key."""
        fields = {name: getattr(key, name) for name in cls.model_fields}
        rooms = None if key.rooms is None else list(key.rooms)
        return cls(**fields | {"scopes": list(key.scopes), "rooms": rooms})

    def as_text(self, utc: datetime) -> str:
        """One line of text."""
        state = "revoked" if self.revoked_at else "expired" if self.expires_at and self.expires_at <= utc else "active"
        where = "all rooms" if self.rooms is None else ", ".join(self.rooms)
        return f"{self.id}  {self.prefix}  {self.name}  {state}  ({', '.join(self.scopes)}; {where})"


class NewKey(KeyView):
    """A key with its secret, which is shown only once."""

    key: str

    @classmethod
    def of_new(cls, made: ApiKey, text: str) -> Self:
        """The view of a new key."""
        return cls(**KeyView.of(made).model_dump(), key=text)


class KeyList(Model):
    """All keys, newest first, including revoked ones."""

    items: list[KeyView]
    next_cursor: str | None = Field(None, description="Always null: the list has one page.")
