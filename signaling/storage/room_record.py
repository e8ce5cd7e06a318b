"""A stored room as a value, and the limits of its fields. Pure. Checks raise ClientMistake (`bad_message`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from signaling.errors import ClientMistake
from signaling.identity.names import ROOM_ID, check_identity, clean_name
from signaling.storage import words
from signaling.storage.fields import check_number, check_object, check_text, check_word

MESSAGE_HISTORY = "message_history"


USUAL_DAYS = 30


MOST_DAYS = 3650


def check_settings(settings: Any) -> None:
    """Check the settings of a room. Raises ClientMistake (`bad_message`), which names the field.

    `message_history` is `{"keep": true or false, "days": 1 to 3650}`; `days` is 30 by default.
    """
    check_object("settings", settings)
    if MESSAGE_HISTORY not in settings:
        return
    history = settings[MESSAGE_HISTORY]
    field = f"settings.{MESSAGE_HISTORY}"
    if not isinstance(history, dict) or not isinstance(history.get("keep"), bool) or history.keys() - {"keep", "days"}:
        raise ClientMistake("bad_message", f'{field}: {{"keep": true or false, "days": a number}}')
    check_number(f"{field}.days", history.get("days", USUAL_DAYS), 1, MOST_DAYS)


def message_days(settings: Mapping[str, Any]) -> int | None:
    """Return how many days the room stores its messages; None if it stores none."""
    history = settings.get(MESSAGE_HISTORY) or {}
    return history.get("days", USUAL_DAYS) if history.get("keep") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFields:
    """The fields of a room that its owner chooses. Times are aware, `empty_timeout` is seconds.

    `is_private` rooms need an invite, a password or a role; `is_temporary` ones are deleted after being empty for
    `empty_timeout`; in `is_moderated` ones people join suppressed. `password_hash` comes from `identity.passwords`.
    `duplicate_identity` None means the setting of the server.
    """

    name: str
    description: str = ""
    room_type: words.RoomType = "group"
    owner: str | None = None
    guild_id: str | None = None
    region: str | None = None
    max_participants: int = 200
    is_private: bool = False
    password_hash: str | None = None
    is_temporary: bool = False
    empty_timeout: int = 300
    is_moderated: bool = False
    allow_recording: bool = False
    quality_preset: words.QualityPreset = "standard"
    duplicate_identity: words.DuplicatePolicy | None = None
    scheduled_end: datetime | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room(RoomFields):
    """A stored room. `version` counts its changes from 1."""

    id: str
    version: int
    created_by: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """The strong entity tag of this version (RFC 9110 section 8.8.3)."""
        return f'"{self.version}"'


CHANGEABLE = tuple(one.name for one in fields(RoomFields))
"""The fields that an update may change."""


def version_of(etag: str) -> int:
    """Return the version of an `If-Match`. Raises ClientMistake: `stale` for a tag that was never one of a room."""
    inner = etag.strip().removeprefix('"').removesuffix('"')
    if not (inner.isascii() and inner.isdigit() and len(inner) <= 9):
        raise ClientMistake("stale")
    return int(inner)


def wanted_version(if_match: str | None) -> int | None:
    """Return the version that a change applies to, from its `If-Match` (RFC 9110 section 13.1.1).

    None means any version: no header, or `*`. Raises as `version_of`.
    """
    tag = "*" if if_match is None else if_match.strip()
    return None if tag == "*" else version_of(tag)


def check_room_id(room_id: str) -> str:
    """Return the id if it is valid. Raises ClientMistake (`bad_message`)."""
    if not ROOM_ID.match(room_id):
        raise ClientMistake("bad_message", "a room is 1 to 64 of A-Z a-z 0-9 _ -")
    return room_id


def check_room(room: RoomFields) -> None:
    """Check all fields. The name must already have passed `clean_title`.

    Raises ClientMistake (`bad_message`), which names the field.
    """
    check_text("name", room.name, words.NAME_LENGTH, least=1)
    if clean_name(room.name) != room.name:
        raise ClientMistake("bad_message", "name: no control characters, and only single spaces between words")
    check_text("description", room.description, words.DESCRIPTION_LENGTH)
    check_word("room_type", room.room_type, words.ROOM_TYPES)
    check_word("quality_preset", room.quality_preset, words.QUALITY_PRESETS)
    if room.duplicate_identity is not None:
        check_word("duplicate_identity", room.duplicate_identity, words.DUPLICATE_POLICIES)
    if room.owner is not None:
        check_identity(room.owner)
    for name, value in (("guild_id", room.guild_id), ("region", room.region)):
        if value is not None:
            check_text(name, value, words.ID_LENGTH, least=1)
    if room.password_hash is not None:
        check_text("password_hash", room.password_hash, words.PASSWORD_HASH_LENGTH, least=1)
    check_number("max_participants", room.max_participants, 1, words.MOST_PARTICIPANTS)
    check_number("empty_timeout", room.empty_timeout, 0, words.LONGEST_EMPTY_SECONDS)
    for name in ("is_private", "is_temporary", "is_moderated", "allow_recording"):
        if not isinstance(getattr(room, name), bool):
            raise ClientMistake("bad_message", f"{name}: true or false")
    if room.scheduled_end is not None and room.scheduled_end.tzinfo is None:
        raise ClientMistake("bad_message", "scheduled_end: a time with a time zone")
    check_settings(room.settings)
    check_object("metadata", room.metadata)
