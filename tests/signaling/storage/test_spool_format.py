from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.storage.spool_format import Change, decode_lines, encode_line
from tests.signaling.storage.samples import at

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
