import asyncio
import errno
import os
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from signaling.errors import ClientMistake, StorageUnavailable
from signaling.storage import calls, changes, spool
from signaling.storage.database import choose_database
from signaling.storage.pages import PageRequest
from signaling.storage.spool import Change, Spool, decode_lines, encode_line
from tests.signaling.conftest import opened
from tests.signaling.storage.samples import a_call, a_presence, at, change_of
from tests.support.house import eventually

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
moments = st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001
values = st.dictionaries(st.text(), plain | moments | st.lists(plain) | st.dictionaries(st.text(), plain))
batches = st.lists(st.builds(Change, st.text(), values), max_size=3).map(tuple)


@given(st.lists(batches))
def test_what_is_written_is_read(written):
    data = b"".join(map(encode_line, written))
    found = decode_lines(data)
    assert found.lines == written
    assert (found.damaged, found.length) == ([], len(data))


@given(st.binary())
def test_any_bytes_are_read_as_far_as_they_make_sense(data):
    found = decode_lines(data)
    assert found.lines == []
    assert found.length == data.rfind(b"\n") + 1
    assert b"".join(found.damaged).replace(b"\n", b"") == data[: found.length].replace(b"\n", b"")


@given(batches, batches, st.data())
def test_a_damaged_line_costs_no_other(first, second, data):
    lines = [encode_line(first), encode_line(second)]
    where = data.draw(st.integers(0, len(lines[0]) - 2))
    by = data.draw(st.integers(1, 255))
    broken = bytearray(lines[0])
    broken[where] ^= by
    found = decode_lines(bytes(broken) + lines[1])
    assert found.lines == [second]
    assert found.damaged


@given(batches, st.integers(min_value=0))
def test_a_line_that_was_cut_off_waits_for_its_rest(batch, cut):
    line = encode_line(batch)
    found = decode_lines(line + line[: cut % len(line)])
    assert (found.lines, found.length) == ([batch], len(line))


def test_lines_that_are_whole_and_mean_nothing_are_damaged():
    import zlib

    for body in (b"{}x", b'{"a":1}', b"[1]", b'[["a"]]', b'[["a",{},["b"]]]', b"[[1,{},[]]]", b"[" * 100_000):
        line = b"%08x %s\n" % (zlib.crc32(body), body)
        assert decode_lines(line).damaged == [line]


def test_times_keep_their_kind_and_what_looks_like_one_does_not_become_one():
    change = Change("x", {"at": at(0), "text": at(0).isoformat(), "doc": {"at": at(0).isoformat()}})
    assert decode_lines(encode_line([change])).lines == [(change,)]


def test_what_json_cannot_say_is_our_mistake():
    with pytest.raises((TypeError, ValueError)):
        encode_line([Change("x", {"a": object()})])
    with pytest.raises(ValueError, match="JSON"):
        encode_line([Change("x", {"a": float("nan")})])


def numbered(number):
    return [Change("x", {"number": number})]


class Writer:
    """A database of numbers that can be away, and can lose the answer to what it has written."""

    def __init__(self):
        self.numbers: list[int] = []
        self.seen: set[int] = set()
        self.away = False
        self.answers_lost = 0
        self.refuses: set[int] = set()
        self.written = asyncio.Event()

    async def __call__(self, batch):
        if self.away:
            raise StorageUnavailable("away")
        wanted = [change.values["number"] for change in batch]
        if self.refuses & set(wanted):
            raise ClientMistake("bad_message")
        for number in wanted:
            if number not in self.seen:
                self.seen.add(number)
                self.numbers.append(number)
        if self.answers_lost:
            self.answers_lost -= 1
            raise StorageUnavailable("the connection broke during the commit")
        self.written.set()


@pytest.fixture
def writer():
    return Writer()


@pytest.fixture
async def one(tmp_path, writer):
    made = Spool(tmp_path / "spool" / "changes.log", writer)
    yield made
    await made.close()


def on_disk(spool_path):
    return [line[0].values["number"] for line in decode_lines(spool_path.read_bytes()).lines]


async def test_while_the_database_is_there_nothing_touches_the_disk(one, writer, tmp_path):
    for number in range(100):
        one.put(numbered(number))
    one.put([])
    assert await one.flush()
    assert writer.numbers == list(range(100))
    assert not (tmp_path / "spool").exists()
    assert one.counters == {"written": 100}


async def test_what_the_database_does_not_take_goes_to_the_disk_at_once(one, writer, tmp_path):
    writer.away = True
    one.put(numbered(0))
    assert len(one) == 1
    assert not await one.flush()
    assert (len(one), one.on_disk) == (0, True)
    one.put(numbered(1))
    assert not await one.flush()
    assert on_disk(tmp_path / "spool" / "changes.log") == [0, 1]
    assert one.bytes_on_disk == (tmp_path / "spool" / "changes.log").stat().st_size
    one.put(numbered(2))
    writer.away = False
    assert await one.flush()
    assert writer.numbers == [0, 1, 2]
    assert not one.on_disk
    assert one.bytes_on_disk == 0


async def test_a_database_that_does_not_answer_keeps_nothing_in_memory(tmp_path, writer):
    answers = asyncio.Event()
    path = tmp_path / "changes.log"

    async def slow(batch):
        await answers.wait()
        await writer(batch)

    one = Spool(path, slow, patience=0.001)
    one.put(numbered(0))
    flushing = asyncio.create_task(one.flush())
    for number in range(1, 4):
        await eventually(lambda number=number: len(one) == 0 and path.exists() and len(on_disk(path)) == number)
        one.put(numbered(number))
    assert not flushing.done()
    answers.set()
    assert await flushing
    assert writer.numbers == [0, 1, 2, 3]
    assert not path.exists()
    await one.close()


async def test_a_close_with_a_bound_leaves_the_rest_on_the_disk(tmp_path):
    path = tmp_path / "changes.log"

    async def never(batch):
        await asyncio.Event().wait()

    one = Spool(path, never, patience=60.0)
    for number in range(3):
        one.put(numbered(number))
    await one.close(0.001)
    assert on_disk(path) == [0, 1, 2]


async def test_what_waits_at_the_end_is_written_at_the_next_start(tmp_path, writer):
    path = tmp_path / "changes.log"
    first = Spool(path, writer)
    writer.away = True
    first.put(numbered(1))
    await first.close()
    assert on_disk(path) == [1]
    writer.away = False
    second = Spool(path, writer)
    task = asyncio.create_task(second.run())
    await writer.written.wait()
    task.cancel()
    await asyncio.wait({task})
    await second.close()
    assert writer.numbers == [1]
    assert not path.exists()


async def test_the_runner_tries_again_until_the_database_is_back(one, writer):
    writer.answers_lost = 3
    task = asyncio.create_task(one.run(0.001))
    one.put(numbered(1))
    await writer.written.wait()
    task.cancel()
    await asyncio.wait({task})
    assert writer.numbers == [1]


async def test_an_outage_is_said_once_and_its_end_too(one, writer):
    with capture_logs() as lines:
        writer.away = True
        for number in range(5):
            one.put(numbered(number))
            assert not await one.flush()
        writer.away = False
        for _ in range(2):
            assert await one.flush()
    assert [line["event"] for line in lines] == ["storage_unavailable", "storage_available"]


@pytest.mark.parametrize("seed", range(10))
async def test_through_any_outage_nothing_is_lost_doubled_or_out_of_order(tmp_path, writer, seed):
    random = Random(seed)
    path = tmp_path / "changes.log"
    current = Spool(path, writer)
    number = 0
    for _ in range(60):
        for _ in range(random.randrange(20)):
            current.put(numbered(number))
            number += 1
        writer.away = random.random() < 0.5
        writer.answers_lost = random.choice((0, 0, 1))
        await current.flush()
        if random.random() < 0.1:
            await current.close()
            current = Spool(path, writer)
    writer.away = False
    writer.answers_lost = 0
    assert await current.flush()
    await current.close()
    assert writer.numbers == list(range(number))


async def test_what_the_database_refuses_is_set_aside_and_holds_up_nobody(one, writer, tmp_path):
    writer.refuses = {2}
    for number in range(5):
        one.put(numbered(number))
    assert await one.flush()
    assert writer.numbers == [0, 1, 3, 4]
    assert on_disk(tmp_path / "spool" / "changes.log.refused") == [2]
    assert one.counters["refused"] == 1


async def test_damaged_and_cut_off_lines_are_set_aside(tmp_path, writer):
    path = tmp_path / "changes.log"
    whole = encode_line(numbered(1)), encode_line(numbered(2))
    path.write_bytes(whole[0] + b"damaged\n" + whole[1] + whole[0][:-5])
    one = Spool(path, writer)
    assert await one.flush()
    await one.close()
    assert writer.numbers == [1, 2]
    assert one.counters["damaged"] == 2
    assert path.with_name("changes.log.refused").read_bytes() == b"damaged\n" + whole[0][:-5] + b"\n"
    assert not path.exists()


async def test_a_new_line_begins_after_one_that_was_cut_off(tmp_path, writer):
    path = tmp_path / "changes.log"
    path.write_bytes(encode_line(numbered(1))[:-5])
    writer.away = True
    one = Spool(path, writer)
    one.put(numbered(2))
    await one.close()
    assert on_disk(path) == [2]


async def test_a_full_disk_keeps_them_in_memory(one, writer, monkeypatch, tmp_path):
    writer.away = True
    for number in range(5):
        one.put(numbered(number))

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(spool.os, "fsync", full)
        for _ in range(3):
            assert not await one.flush()
    assert [line["event"] for line in lines] == ["storage_unavailable", "spool_failed"]
    assert len(one) == 5
    assert (tmp_path / "spool" / "changes.log").read_bytes() == b""
    writer.away = False
    assert await one.flush()
    assert writer.numbers == list(range(5))


async def test_a_file_larger_than_a_piece_is_written_in_pieces(tmp_path, writer, monkeypatch):
    monkeypatch.setattr(spool, "_PIECE", 100)
    path = tmp_path / "changes.log"
    path.write_bytes(b"".join(encode_line(numbered(number)) for number in range(200)))
    one = Spool(path, writer)
    assert await one.flush()
    await one.close()
    assert writer.numbers == list(range(200))


async def test_history_survives_a_postgresql_that_is_down(tmp_path, postgres, made_once):
    url = postgres.new_database(await asyncio.to_thread(made_once, "postgresql"))
    async with opened(choose_database(url, tmp_path, statement_seconds=5.0)) as database:
        waiting = Spool(tmp_path / "changes.log", lambda batch: changes.write(database, batch))
        call = a_call()
        waiting.put([change_of("call.start", call)])
        assert await waiting.flush()
        await asyncio.to_thread(postgres.stop, "immediate")
        try:
            people = [a_presence(call, f"p{number}", number) for number in range(30)]
            for person in people:
                waiting.put([change_of("participant.join", person)])
                leave = {"participant_id": person.id, "reason": "client_initiated", "utc": at(100)}
                waiting.put([Change("participant.leave", leave)])
            assert not await waiting.flush()
            assert waiting.on_disk
        finally:
            await asyncio.to_thread(postgres.start)
        assert await waiting.flush()
        await waiting.close()
        async with database.reading() as connection:
            page = await calls.past_people(connection, calls.PeopleFilter(), PageRequest(200))
            assert await calls.counts(connection, ["lobby"]) == {"lobby": 0}
    assert sorted(person.id for person in page.items) == sorted(person.id for person in people)
    assert {person.left_at for person in page.items} == {at(100)}


async def test_it_ends_after_what_it_is_at_and_what_waits(tmp_path):
    """A write that was cut off half-way would keep SQLite's lock."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    written = []

    async def write(batch):
        begun.set()
        await go_on.wait()
        written.extend(change.values["number"] for change in batch)

    slow = Spool(tmp_path / "slow.log", write)
    task = asyncio.create_task(slow.run())
    slow.put(numbered(1))
    await begun.wait()
    slow.put(numbered(2))
    slow.end()
    go_on.set()
    await task
    assert written == [1, 2]
    await slow.close()


async def test_it_ends_also_where_the_database_is_away(one, writer):
    writer.away = True
    task = asyncio.create_task(one.run())
    one.put(numbered(1))
    one.end()
    await task
    assert one.on_disk
