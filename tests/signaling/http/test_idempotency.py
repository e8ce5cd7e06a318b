import asyncio

import pytest

from signaling.errors import ClientMistake
from signaling.http import idempotency
from signaling.http.idempotency import LIFETIME, REPEATED, Kept, KeptAnswers, check_key, fingerprint_of
from signaling.http.routes import KEPT_ANSWERS
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import served
from tests.support.patience import PATIENCE

WHERE = ("person ana", "POST", "/x", "k")
ONE = Kept(201, (("Location", "/x/1"),), b"{}")


def begin(kept: KeptAnswers, body: bytes = b"1", now: float = 0.0, where: tuple[str, ...] = WHERE) -> Kept | None:
    return kept.begin(where, fingerprint_of(body), now)


def code(kept: KeptAnswers, body: bytes = b"1", now: float = 0.0) -> str:
    with pytest.raises(ClientMistake) as caught:
        begin(kept, body, now)
    return caught.value.code


def test_the_same_request_gets_the_same_answer_for_24_hours() -> None:
    kept = KeptAnswers()
    assert begin(kept) is None
    kept.keep(WHERE, ONE)
    assert begin(kept, now=LIFETIME - 1) == ONE
    assert begin(kept, now=LIFETIME) is None
    assert len(kept) == 1


def test_another_request_under_the_same_key_is_refused() -> None:
    kept = KeptAnswers()
    begin(kept)
    assert code(kept, b"2") == "key_reused"
    kept.keep(WHERE, ONE)
    assert code(kept, b"2") == "key_reused"


def test_while_the_first_is_worked_on_the_second_is_told_to_wait() -> None:
    kept = KeptAnswers()
    begin(kept)
    assert code(kept) == "in_progress"


def test_what_failed_may_be_tried_again_also_with_something_else() -> None:
    kept = KeptAnswers()
    begin(kept)
    kept.drop(WHERE)
    assert begin(kept, b"2") is None


def test_whoever_else_uses_the_same_key_meets_no_answer() -> None:
    kept = KeptAnswers()
    begin(kept)
    kept.keep(WHERE, ONE)
    assert begin(kept, where=("person ben", *WHERE[1:])) is None
    assert begin(kept, where=(*WHERE[:2], "/y", "k")) is None


def test_what_is_kept_is_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptAnswers()
    monkeypatch.setattr(idempotency, "MOST_ANSWERS", 2)
    for number in range(3):
        where = (*WHERE[:3], str(number))
        begin(kept, where=where)
        kept.keep(where, ONE)
    assert len(kept) == 2
    assert begin(kept, where=(*WHERE[:3], "2")) == ONE
    monkeypatch.setattr(idempotency, "MOST_BYTES", 10)
    where = (*WHERE[:3], "large")
    begin(kept, where=where)
    kept.keep(where, Kept(200, (), b"x" * 11))
    assert len(kept) == 0
    kept.drop(where)
    kept.keep(where, ONE)
    assert len(kept) == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "ä", "a\n", "\x7f"])
def test_a_key_is_visible_ascii(key: str) -> None:
    with pytest.raises(ClientMistake, match="visible"):
        check_key(key)
    assert check_key("0197-~!") == "0197-~!"


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
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert len(server.app[KEPT_ANSWERS]) == 0
        writer.close()
        await writer.wait_closed()
