from dataclasses import fields, replace
from datetime import datetime

import pytest

from signaling.errors import ClientMistake
from signaling.storage.room_record import (
    CHANGEABLE,
    Room,
    RoomFields,
    check_room,
    check_room_id,
    version_of,
    wanted_version,
)
from signaling.storage.room_tables import rooms
from tests.signaling.storage.samples import at

ROOM = RoomFields(name="Lobby")


def test_every_column_is_a_field():
    assert {one.name for one in fields(Room)} == set(rooms.c.keys()) - {"name_key"}
    assert set(CHANGEABLE) == {one.name for one in fields(RoomFields)}


def test_a_room_may_have_all_that_it_can_have():
    check_room(ROOM)
    check_room(
        RoomFields(
            name="Gilde der Zwölf 🐉",
            description="Montags\nund donnerstags",
            room_type="proximity",
            owner="ana",
            guild_id="g-1",
            region="eu",
            max_participants=10_000,
            password_hash="$argon2id$x",
            duplicate_identity="reject_new",
            scheduled_end=at(60),
            settings={"music": [1, 2.5, None]},
        )
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 65),
        ("name", " a"),
        ("name", "a\nb"),
        ("name", "\u202egnp"),
        ("name", "a\0"),
        ("description", "x" * 1001),
        ("room_type", "channel"),
        ("quality_preset", "best"),
        ("duplicate_identity", "kick"),
        ("owner", ""),
        ("guild_id", ""),
        ("region", "x" * 65),
        ("password_hash", ""),
        ("max_participants", 0),
        ("max_participants", True),
        ("empty_timeout", -1),
        ("is_private", 1),
        ("is_moderated", None),
        ("scheduled_end", datetime(2026, 1, 1)),  # noqa: DTZ001
        ("settings", []),
        ("metadata", {"a": "x" * 20_000}),
    ],
)
def test_what_a_field_may_not_hold_is_named(field, value):
    with pytest.raises(ClientMistake) as caught:
        check_room(replace(ROOM, **{field: value}))
    assert caught.value.code == "bad_message"
    assert caught.value.message.startswith("an identity" if field == "owner" else field)


def test_the_entity_tag_is_strong_and_leads_back_to_the_version():
    """RFC 9110 section 8.8.3."""
    room = Room(name="a", id="a", version=12, created_by=None, created_at=at(0), updated_at=at(0))
    assert room.etag == '"12"'
    assert version_of(room.etag) == version_of(" 12 ") == 12


@pytest.mark.parametrize("etag", ["", '""', 'W/"12"', '"x"', '"-1"', '"\u0661"', "9" * 40, "*"])
def test_a_tag_that_was_never_one_is_stale(etag):
    with pytest.raises(ClientMistake) as caught:
        version_of(etag)
    assert caught.value.code == "stale"


def test_an_id_is_safe_in_a_path():
    assert check_room_id("a-B_9") == "a-B_9"
    for wrong in ("", "a/b", "..", "a b", "x" * 65, "a\n"):
        with pytest.raises(ClientMistake):
            check_room_id(wrong)


@pytest.mark.parametrize(("header", "version"), [(None, None), ("*", None), (" * ", None), ('"12"', 12)])
def test_rfc_9110_13_1_1_if_match_names_a_version_or_any(header, version):
    assert wanted_version(header) == version
