import pytest

from signaling.errors import ClientMistake
from signaling.storage import calls, history
from signaling.storage.pages import MOST, PageRequest, insert_once
from signaling.storage.room_tables import calls as table
from signaling.storage.row_types import values_of
from tests.signaling.storage.samples import a_call, a_presence, at

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
            page = await history.past_people(connection, wanted, PageRequest(limit, cursor))
        found.append(list(page.items))
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


@pytest.mark.parametrize("limit", [1, 7, NUMBER - 1, NUMBER, NUMBER + 1, MOST])
async def test_the_pages_together_are_the_list(database, people, limit):
    found = await pages(database, limit, history.PeopleFilter())
    assert [person for page in found for person in page] == people
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


async def test_the_pages_of_a_time_are_the_rows_of_that_time(database, people):
    wanted = history.PeopleFilter(since=at(2), until=at(6))
    found = await pages(database, 2, wanted)
    assert [person for page in found for person in page] == [one for one in people if at(2) <= one.joined_at < at(6)]


async def test_what_comes_and_goes_meanwhile_moves_no_other(database, people):
    async with database.reading() as connection:
        first = await history.past_people(connection, history.PeopleFilter(), PageRequest(10))
    async with database.transaction() as connection:
        call = await calls.current(connection, "lobby")
        await calls.join(connection, a_presence(call, "late", 1000))
    async with database.reading() as connection:
        request = PageRequest(MOST, first.next_cursor)
        rest = await history.past_people(connection, history.PeopleFilter(), request)
    assert [*first.items, *rest.items] == people


async def test_a_cursor_holds_for_the_same_filters_only(database, people):
    async with database.reading() as connection:
        first = await history.past_people(connection, history.PeopleFilter(), PageRequest(10))
        for wanted in (history.PeopleFilter(room_id="lobby"), history.PeopleFilter(since=at(0))):
            with pytest.raises(ClientMistake, match="cursor"):
                await history.past_people(connection, wanted, PageRequest(10, first.next_cursor))
        with pytest.raises(ClientMistake, match="cursor"):
            await history.past_calls(connection, None, PageRequest(10, first.next_cursor))


@pytest.mark.parametrize("limit", [0, -1, MOST + 1, 10**12])
async def test_a_page_is_bounded(database, limit):
    async with database.reading() as connection:
        with pytest.raises(ClientMistake, match="limit"):
            await history.past_calls(connection, None, PageRequest(limit))


async def test_a_row_is_written_once(database):
    call = a_call()
    async with database.transaction() as connection:
        assert await insert_once(connection, table, values_of(call))
        assert not await insert_once(connection, table, values_of(call))
