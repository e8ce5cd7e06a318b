import asyncio

from signaling.http.app_keys import REPEATS
from signaling.http.once import REPEATED
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import served

ROOMS = "/api/v1/rooms"


async def test_a_room_is_made_once_and_answered_twice(tmp_path):
    async with served(tmp_path) as server:
        ana = person(server, room_create=True)
        order = {"name": "Den"}
        first, made = await ana.ask("POST", ROOMS, order, Idempotency_Key="k1")
        again, same = await ana.ask("POST", ROOMS, order, Idempotency_Key="k1")
        assert (first.status, again.status, same) == (201, 201, made)
        assert [response.headers.get(REPEATED) for response in (first, again)] == [None, "true"]
        assert {response.headers["Location"] for response in (first, again)} == {f"{ROOMS}/{made['id']}"}
        assert again.headers["ETag"] == '"1"'
        assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
        _, page = await person(server, room_list=True).ask("GET", ROOMS)
        assert len(page["items"]) == 1
        assert await ana.code("POST", ROOMS, {"name": "Other"}, Idempotency_Key="k1") == (422, "key_reused")
        assert await ana.status("POST", ROOMS, order, Idempotency_Key="k2") == 201
        assert await ana.status("POST", ROOMS, order) == 201


async def test_the_key_of_somebody_else_is_another_one(tmp_path):
    async with served(tmp_path) as server:
        ana, ben = person(server, room_create=True), person(server, "ben", room_create=True)
        game = await service(server, "room.create")
        ids = {(await who.ask("POST", ROOMS, {"name": "A"}, Idempotency_Key="k"))[1]["id"] for who in (ana, ben, game)}
        assert len(ids) == 3
        assert await Caller(server, None).status("POST", ROOMS, {"name": "A"}, Idempotency_Key="k") == 401


async def test_what_failed_is_not_kept(tmp_path):
    async with served(tmp_path) as server:
        ana = person(server, room_create=True)
        assert await ana.status("POST", ROOMS, {"name": ""}, Idempotency_Key="k") == 400
        assert await ana.status("POST", ROOMS, {"name": "A"}, Idempotency_Key="k") == 201
        assert await ana.code("POST", ROOMS, {"name": "A"}, Idempotency_Key="a b") == (400, "bad_message")


async def test_two_at_once_make_one(tmp_path):
    async with served(tmp_path) as server:
        ana = person(server, room_create=True)
        asked = [ana.code("POST", ROOMS, {"name": "A", "password": "sesame"}, Idempotency_Key="k") for _ in range(4)]
        answers = await asyncio.gather(*asked)
        assert {status for status, _ in answers} <= {201, 409}
        assert {told for status, told in answers if status == 409} <= {"in_progress"}
        _, page = await person(server, room_list=True).ask("GET", ROOMS)
        assert len(page["items"]) == 1


async def test_a_body_that_does_not_come_in_time_is_408(tmp_path):
    async with served(tmp_path, read_timeout=0.2) as server:
        token = person(server, room_create=True).bearer
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(
            f"POST {ROOMS} HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: k\r\n"
            "Content-Type: application/json\r\nContent-Length: 5\r\n\r\n".encode()
        )
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert len(server.app[REPEATS]) == 0
        writer.close()
        await writer.wait_closed()
