from signaling.storage import calls, history
from signaling.storage.history import PeopleFilter
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import a_call, a_presence, at


async def test_calls_and_people_are_found_by_room_person_and_time(database):
    async with database.transaction() as connection:
        made = []
        for number, room_id in enumerate(["lobby", "hall", "lobby"]):
            call = await calls.start(connection, a_call(room_id, number * 10))
            for offset, identity in enumerate(["ana", "ben"]):
                person = a_presence(call, identity, number * 10 + offset)
                await calls.join(connection, person)
                made.append(person)
            await calls.end(connection, call.id, "empty", at(number * 10 + 5))

    async def people(**wanted):
        async with database.reading() as connection:
            page = await history.past_people(connection, PeopleFilter(**wanted), PageRequest())
        return [person.id for person in page.items]

    ids = [person.id for person in made]
    assert await people() == ids[::-1]
    assert await people(room_id="hall") == [ids[3], ids[2]]
    assert await people(identity="ana") == [ids[4], ids[2], ids[0]]
    assert await people(call_id=made[0].call_id) == [ids[1], ids[0]]
    assert await people(since=at(10), until=at(20)) == [ids[3], ids[2]]
    async with database.reading() as connection:
        found = await history.past_calls(connection, "lobby", PageRequest())
        assert [call.started_at for call in found.items] == [at(20), at(0)]
        assert len((await history.past_calls(connection, None, PageRequest())).items) == 3
