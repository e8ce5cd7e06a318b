import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.storage.fields import (
    DEEPEST,
    check_document,
    check_number,
    check_object,
    check_text,
    check_word,
    search_key,
)
from signaling.storage.words import DOCUMENT_BYTES, NAME_KEY_LENGTH

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@pytest.mark.parametrize("text", ["", "four", "a\0b", "\ud800", "x\udfff"])
def test_a_text_is_short_enough_and_can_be_kept(text):
    with pytest.raises(ClientMistake, match=r"^name"):
        check_text("name", text, 3, least=1)
    assert check_text("name", "abc", 3) == "abc"


@pytest.mark.parametrize("number", [0, 11, True, 1.0, "1", None])
def test_a_number_is_one_and_lies_between(number):
    with pytest.raises(ClientMistake, match=r"^most"):
        check_number("most", number, 1, 10)
    assert check_number("most", 10, 1, 10) == 10


def test_a_word_is_known():
    assert check_word("role", "owner", ("owner",)) == "owner"
    with pytest.raises(ClientMistake, match="one of owner, member"):
        check_word("role", "x", ("owner", "member"))


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        2**53 + 1,
        -(2**60),
        b"x",
        object(),
        {1: 2},
        "\0",
        {"\ud800": 1},
        ["\udc00"],
        {"a": {2}},
    ],
)
def test_a_document_holds_what_json_and_both_databases_hold(value):
    with pytest.raises(ClientMistake, match=r"^settings"):
        check_document("settings", value)


def test_a_document_is_bounded_in_bytes_and_in_depth():
    assert check_document("body", "ä" * ((DOCUMENT_BYTES - 2) // 2))
    with pytest.raises(ClientMistake, match=f"{DOCUMENT_BYTES} at most"):
        check_document("body", "ä" * (DOCUMENT_BYTES // 2))
    deep: list[object] = []
    for _ in range(DEEPEST):
        deep = [deep]
    with pytest.raises(ClientMistake, match="deeper"):
        check_document("body", deep)
    # Far deeper than the interpreter could follow.
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ClientMistake, match="deeper"):
        check_document("body", deep)
    while deep:
        deep = deep[0]


@given(anything)
def test_whatever_comes_is_kept_or_refused(value):
    try:
        kept = check_document("body", value)
    except ClientMistake:
        return
    assert json.loads(json.dumps(kept, allow_nan=False)) == value


def test_an_object_is_one():
    assert check_object("settings", {"a": 1}) == {"a": 1}
    with pytest.raises(ClientMistake, match="object"):
        check_object("settings", [1])


@given(st.text())
def test_a_key_does_not_depend_on_case_or_form(text):
    key = search_key(text)
    assert len(key) <= NAME_KEY_LENGTH
    assert search_key(key) == key


def test_what_looks_alike_is_found_alike():
    assert search_key("Straße") == search_key("STRASSE")
    assert search_key("e\u0301") == search_key("É")
    assert search_key("ﬁ") == "fi"
