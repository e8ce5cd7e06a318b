import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table

from signaling.errors import ClientMistake
from signaling.storage import calls
from signaling.storage.pages import (
    MOST,
    PageRequest,
    Place,
    columns_of,
    decode_cursor,
    encode_cursor,
    field_names,
    insert_once,
    load,
    values_of,
)
from signaling.storage.room_tables import calls as table
from tests.signaling.storage.samples import a_call, a_presence, at


@dataclass(frozen=True)
class Thing:
    a: int
    b: int


TABLE = Table("things", MetaData(), Column("b", Integer), Column("a", Integer), Column("c", Integer))


def test_a_field_is_the_column_of_its_name():
    assert field_names(Thing) == ("a", "b")
    assert [column.name for column in columns_of(TABLE, Thing)] == ["a", "b"]
    assert load(Thing, {"a": 1, "b": 2, "c": 3}) == Thing(1, 2)
    assert values_of(Thing(1, 2)) == {"a": 1, "b": 2}


moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
PLACE = Place(datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC), "lobby")


def made_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@given(st.text(), moments, ids)
def test_a_cursor_leads_back_to_its_place(scope, moment, row_id):
    scope = scope.encode("utf-8", "replace").decode()
    text = encode_cursor(scope, Place(moment, row_id))
    assert decode_cursor(scope, text) == Place(moment, row_id)
    assert len(text) <= 300


@given(st.text(max_size=400) | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")))
def test_whatever_else_comes_is_refused(text):
    with pytest.raises(ClientMistake, match="cursor"):
        decode_cursor("rooms", text)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_json_that_is_no_cursor_is_refused(value):
    with pytest.raises(ClientMistake, match="cursor"):
        decode_cursor("rooms", made_of(value))


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=5))
def test_a_changed_letter_is_noticed(where, by):
    text = encode_cursor("rooms", PLACE)
    where %= len(text)
    other = "AZ09_-"[by]
    changed = text[:where] + other + text[where + 1 :]
    try:
        # The last letter of base64 may differ and mean the same.
        assert decode_cursor("rooms", changed) == PLACE
    except ClientMistake:
        assert changed != text


def test_a_cursor_of_another_list_is_refused():
    with pytest.raises(ClientMistake, match="cursor"):
        decode_cursor("rooms of ana", encode_cursor("rooms of ben", PLACE))


@pytest.mark.parametrize(
    "value",
    [
        ["seal", True, "lobby"],
        ["seal", -1, "lobby"],
        ["seal", 10**30, "lobby"],
        ["seal", 1, "a'b"],
        ["seal", 1, None],
        ["seal", 1, "lobby", 1],
        {"a": 1},
    ],
)
def test_a_forged_place_is_refused(value):
    with pytest.raises(ClientMistake, match="cursor"):
        decode_cursor("rooms", made_of(value))


def test_a_place_is_exact_to_the_microsecond():
    later = Place(PLACE.at + timedelta(microseconds=1), PLACE.id)
    assert encode_cursor("rooms", later) != encode_cursor("rooms", PLACE)


NUMBER = 23


@pytest.fixture
async def people(database):
    """Some came at the very same moment."""
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        made = [a_presence(call, f"p{number}", number // 3) for number in range(NUMBER)]
        for person in made:
            await calls.join(connection, person)
    return sorted(made, key=lambda person: (person.joined_at, person.id), reverse=True)


async def pages(database, limit, wanted):
    cursor, found = None, []
    while True:
        async with database.reading() as connection:
            page = await calls.past_people(connection, wanted, PageRequest(limit, cursor))
        found.append(list(page.items))
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("limit", [1, 7, NUMBER - 1, NUMBER, NUMBER + 1, MOST])
async def test_the_pages_together_are_the_list(database, people, limit):
    found = await pages(database, limit, calls.PeopleFilter())
    assert [person for page in found for person in page] == people
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


async def test_the_pages_of_a_time_are_the_rows_of_that_time(database, people):
    wanted = calls.PeopleFilter(since=at(2), until=at(6))
    found = await pages(database, 2, wanted)
    assert [person for page in found for person in page] == [one for one in people if at(2) <= one.joined_at < at(6)]


async def test_what_comes_and_goes_meanwhile_moves_no_other(database, people):
    async with database.reading() as connection:
        first = await calls.past_people(connection, calls.PeopleFilter(), PageRequest(10))
    async with database.transaction() as connection:
        call = await calls.current(connection, "lobby")
        await calls.join(connection, a_presence(call, "late", 1000))
    async with database.reading() as connection:
        request = PageRequest(MOST, first.next_cursor)
        rest = await calls.past_people(connection, calls.PeopleFilter(), request)
    assert [*first.items, *rest.items] == people


async def test_a_cursor_holds_for_the_same_filters_only(database, people):
    async with database.reading() as connection:
        first = await calls.past_people(connection, calls.PeopleFilter(), PageRequest(10))
        for wanted in (calls.PeopleFilter(room_id="lobby"), calls.PeopleFilter(since=at(0))):
            with pytest.raises(ClientMistake, match="cursor"):
                await calls.past_people(connection, wanted, PageRequest(10, first.next_cursor))
        with pytest.raises(ClientMistake, match="cursor"):
            await calls.past_calls(connection, None, PageRequest(10, first.next_cursor))


@pytest.mark.parametrize("limit", [0, -1, MOST + 1, 10**12])
async def test_a_page_is_bounded(database, limit):
    async with database.reading() as connection:
        with pytest.raises(ClientMistake, match="limit"):
            await calls.past_calls(connection, None, PageRequest(limit))


async def test_a_row_is_written_once(database):
    call = a_call()
    async with database.transaction() as connection:
        assert await insert_once(connection, table, values_of(call))
        assert not await insert_once(connection, table, values_of(call))
