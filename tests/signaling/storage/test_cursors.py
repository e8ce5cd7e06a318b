import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.storage.cursors import Place, decode_cursor, encode_cursor

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
