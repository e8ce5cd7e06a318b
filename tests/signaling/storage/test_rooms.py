import asyncio
from dataclasses import fields, replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.identity.names import clean_name
from signaling.storage import calls, rooms
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import (
    CHANGEABLE,
    MOST_DAYS,
    USUAL_DAYS,
    Room,
    RoomFields,
    check_room,
    check_room_id,
    check_settings,
    message_days,
    version_of,
    wanted_version,
)
from signaling.storage.room_tables import rooms as rooms_table
from signaling.storage.rooms import RoomFilter
from tests.signaling.storage.samples import a_call, a_presence, a_room, at, creation


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, None),
        ({"message_history": {"keep": False}}, None),
        ({"message_history": {"keep": False, "days": 5}}, None),
        ({"message_history": {"keep": True}}, USUAL_DAYS),
        ({"message_history": {"keep": True, "days": 1}, "own": [1, {"x": None}]}, 1),
        ({"message_history": {"keep": True, "days": MOST_DAYS}}, MOST_DAYS),
    ],
)
def test_how_long_messages_are_kept(settings, days):
    check_settings(settings)
    assert message_days(settings) == days


@pytest.mark.parametrize(
    "history",
    [
        None,
        True,
        {},
        {"keep": "yes"},
        {"keep": 1},
        {"days": 5},
        {"keep": True, "days": 0},
        {"keep": True, "days": MOST_DAYS + 1},
        {"keep": True, "days": 1.5},
        {"keep": True, "days": True},
        {"keep": True, "days": None},
        {"keep": True, "hours": 5},
    ],
)
def test_what_is_no_message_history_is_refused(history):
    with pytest.raises(ClientMistake) as refused:
        check_settings({"message_history": history})
    assert refused.value.code == "bad_message"
    assert "settings.message_history" in refused.value.message


@pytest.mark.parametrize("settings", [[], "text", {"x": "y" * 20_000}, {"x": float("inf")}])
def test_what_cannot_be_kept_is_no_settings(settings):
    with pytest.raises(ClientMistake):
        check_settings(settings)


ROOM = RoomFields(name="Lobby")


def test_every_column_is_a_field():
    assert {one.name for one in fields(Room)} == set(rooms_table.c.keys()) - {"name_key"}
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


INJECTIONS = [
    "'; DROP TABLE rooms; --",
    '" OR ""="',
    "') OR 1=1 --",
    "Robert\\'); DELETE FROM rooms;",
    "%",
    "_",
    "50%_off\\",
    "$1 :name ? {x} %s %(a)s",
    "\u211d⊗⊗ 🎉 née",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
]


async def names(database, **wanted):
    async with database.reading() as connection:
        page = await rooms.page(connection, RoomFilter(**wanted), PageRequest(200))
    return [room.name for room in page.items]


async def test_a_room_comes_back_as_it_was_made(database):
    chosen = RoomFields(
        name="Guild of Twelve",
        description="line\nline",
        room_type="guild",
        owner="ana",
        guild_id="g1",
        region="eu",
        max_participants=12,
        is_private=True,
        password_hash="$argon2id$",
        is_temporary=True,
        empty_timeout=0,
        is_moderated=True,
        allow_recording=True,
        quality_preset="music",
        duplicate_identity="reject_new",
        scheduled_end=at(3600),
        settings={"deep": {"er": [1, None, "ü", 2.5]}},
        metadata={"": []},
    )
    async with database.transaction() as connection:
        made = await rooms.create(connection, chosen, creation())
    assert made.created_at == made.updated_at == at(0)
    async with database.reading() as connection:
        assert await rooms.get(connection, made.id) == made
        assert await rooms.find(connection, "elsewhere") is None
        with pytest.raises(ClientMistake, match="no such room"):
            await rooms.get(connection, "elsewhere")


async def test_an_id_can_be_chosen_once(database):
    await a_room(database, "lobby")
    with pytest.raises(ClientMistake) as caught:
        await a_room(database, "lobby")
    assert caught.value.code == "already_exists"
    with pytest.raises(ClientMistake):
        await a_room(database, "a/b", name="x")


async def test_a_change_counts_the_version(database):
    room = await a_room(database, settings={"a": 1})
    async with database.transaction() as connection:
        changed = await rooms.change(connection, room.id, {"name": "Hall", "settings": {}}, 1, at(5))
        assert changed == replace(room, name="Hall", settings={}, version=2, updated_at=at(5))
        assert await rooms.get(connection, room.id) == changed
        assert (await rooms.change(connection, room.id, {"region": "eu"}, None, at(6))).version == 3
    assert await names(database, prefix="hal") == ["Hall"]


async def test_a_stale_change_changes_nothing(database):
    room = await a_room(database)
    async with database.transaction() as connection:
        await rooms.change(connection, room.id, {"name": "Hall"}, 1, at(1))
    for doing in (
        lambda connection: rooms.change(connection, room.id, {"name": "Den"}, 1, at(2)),
        lambda connection: rooms.remove(connection, room.id, 1),
    ):
        with pytest.raises(ClientMistake) as caught:
            async with database.transaction() as connection:
                await doing(connection)
        assert (caught.value.code, caught.value.details) == ("stale", {"version": 2})
    assert await names(database) == ["Hall"]


async def test_of_two_changes_of_one_version_one_is_stale(database):
    room = await a_room(database)

    async def change(name):
        async with database.transaction() as connection:
            return await rooms.change(connection, room.id, {"name": name}, 1, at(1))

    done = await asyncio.gather(change("a"), change("b"), return_exceptions=True)
    refused = [one for one in done if isinstance(one, ClientMistake)]
    assert [one.code for one in refused] == ["stale"]


@pytest.mark.parametrize("changes", [{"id": "x"}, {"version": 9}, {"nothing": 1}, {"name": ""}, {"is_private": "no"}])
async def test_a_change_that_makes_no_sense_is_refused(database, changes):
    room = await a_room(database)
    async with database.transaction() as connection:
        with pytest.raises(ClientMistake) as caught:
            await rooms.change(connection, room.id, changes, None, at(1))
        assert caught.value.code == "bad_message"
        assert await rooms.get(connection, room.id) == room


async def test_a_deleted_room_is_gone_and_its_calls_stay(database):
    room = await a_room(database)
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        assert await rooms.remove(connection, room.id, 1) == room
        assert await rooms.find(connection, room.id) is None
        assert await calls.find(connection, call.id) == call
        with pytest.raises(ClientMistake, match="no such room"):
            await rooms.remove(connection, room.id)


async def test_the_filters_of_the_list(database):
    await a_room(database, "a", 1, name="Alpha", room_type="raid", owner="ana", guild_id="g1", region="eu")
    await a_room(database, "b", 2, name="Beta", room_type="raid", owner="ben", guild_id="g2", is_private=True)
    await a_room(database, "c", 3, name="ALPHABET", room_type="party", owner="ana", guild_id="g1", region="us")
    assert await names(database) == ["ALPHABET", "Beta", "Alpha"]
    assert await names(database, room_type="raid") == ["Beta", "Alpha"]
    assert await names(database, owner="ana", region="eu") == ["Alpha"]
    assert await names(database, guild_id="g2") == ["Beta"]
    assert await names(database, is_private=False) == ["ALPHABET", "Alpha"]
    assert await names(database, prefix="alpha") == ["ALPHABET", "Alpha"]
    assert await names(database, search="BET") == ["ALPHABET", "Beta"]
    assert await names(database, prefix="lpha") == []
    for wrong in ({"search": ""}, {"prefix": "x" * 65}, {"search": "\0"}, {"owner": "\0"}):
        with pytest.raises(ClientMistake):
            await names(database, **wrong)


async def test_the_list_has_pages(database):
    for number in range(7):
        await a_room(database, f"r{number}", number // 2)
    found, cursor = [], None
    for _ in range(3):
        async with database.reading() as connection:
            page = await rooms.page(connection, RoomFilter(room_type="group"), PageRequest(3, cursor))
        found += [room.id for room in page.items]
        cursor = page.next_cursor
    assert cursor is None
    assert found == [f"r{number}" for number in reversed(range(7))]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_sql_in_a_name_is_a_name(database, text):
    await a_room(database, "other", name="other")
    made = await a_room(database, "r", name=text, description=text, owner=text, guild_id=text, metadata={text: text})
    async with database.reading() as connection:
        assert await rooms.get(connection, "r") == made
    for wanted in ({"prefix": text}, {"search": text}, {"owner": text}, {"guild_id": text}):
        assert await names(database, **wanted) == [text]
    assert await names(database, region=text) == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(min_size=1, max_size=64).map(clean_name).filter(bool),
    description=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200),
)
async def test_any_name_comes_back_unchanged_and_is_found(database, text, description):
    async with database.transaction() as connection:
        made = await rooms.create(connection, RoomFields(name=text, description=description), creation())
        assert await rooms.get(connection, made.id) == made
        for wanted in (RoomFilter(prefix=text), RoomFilter(search=text)):
            assert made in (await rooms.page(connection, wanted, PageRequest(200))).items
        await rooms.remove(connection, made.id)


async def test_temporary_rooms_go_when_they_have_been_empty_long_enough(database):
    await a_room(database, "stays", is_temporary=False, empty_timeout=0)
    await a_room(database, "new", 100, is_temporary=True, empty_timeout=60)
    await a_room(database, "slow", is_temporary=True, empty_timeout=10_000)
    await a_room(database, "used", is_temporary=True, empty_timeout=60)

    async def gone(seconds, limit=100):
        async with database.reading() as connection:
            return [room.id for room in await rooms.abandoned(connection, at(seconds), limit)]

    assert await gone(59) == []
    assert await gone(60) == ["used"]
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call("used", 50))
        person = a_presence(call, seconds=50)
        await calls.join(connection, person)
    assert await gone(159) == []
    async with database.transaction() as connection:
        await calls.leave(connection, person.id, "client_initiated", at(200))
        await calls.end(connection, call.id, "empty", at(200))
    assert await gone(259) == ["new"]
    assert await gone(260) == ["new", "used"]
    assert await gone(260, 1) == ["new"]
    assert await gone(10_000) == ["new", "slow", "used"]
