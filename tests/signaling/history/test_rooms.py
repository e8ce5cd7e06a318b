from signaling.history.rooms import delete_room, make_room
from signaling.storage import outbox, rooms
from signaling.storage.outbox import EVENTS
from signaling.storage.room_record import RoomFields
from tests.signaling.storage.samples import at, creation, seeded


async def test_a_room_and_its_event_are_written_together(database):
    async with database.transaction() as connection:
        room = await make_room(connection, RoomFields(name="Den", owner="ana", password_hash="argon2"), creation())
        gone = await delete_room(connection, room.id, room.version, by="ben", utc=at(1), random=seeded(2))
        events = await outbox.after(connection, 0)
        assert (gone, await rooms.find(connection, room.id)) == (room, None)
    made, deleted = events
    assert [one.event for one in events] == ["room.created", "room.deleted"]
    assert {one.event for one in events} <= set(EVENTS)
    assert (deleted.room_id, deleted.created_at, deleted.payload["by"]) == (room.id, at(1), "ben")
    assert (made.payload["room"]["name"], made.payload["room"]["owner"]) == ("Den", "ana")
    assert all("password_hash" not in one.payload["room"] for one in events)
