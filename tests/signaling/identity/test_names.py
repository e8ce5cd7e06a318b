import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.identity.names import (
    LONGEST_NAME,
    LONGEST_USER_AGENT,
    ROOM_ID,
    check_identity,
    clean_name,
    clean_title,
    clean_user_agent,
)


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("Ana", "Ana"),
        ("  Ana \t\r\n Bell ", "Ana Bell"),
        ("A\x00n\x1ba\x7f", "Ana"),
        ("\u202egnp.exe", "gnp.exe"),
        ("e\u0301", "\u00e9"),
        ("\u200d\u200b\ufeff", ""),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("Z" + "\u0353" * 50, "Z" + "\u0353" * 4),
        ("\u0301\u0302", "\u0301\u0302"),
        ("x" * 200, "x" * 64),
        ("\ue000\ufffe\ud800ok", "ok"),
    ],
)
def test_display_names_are_cleaned(given_name: str, cleaned: str) -> None:
    assert clean_name(given_name) == cleaned


@pytest.mark.parametrize(
    ("given_title", "cleaned"), [("  Ana's\x00 den\n", "Ana's den"), ("x" * 65, "x" * 65), ("\u200b", "")]
)
def test_the_name_of_a_thing_is_cleaned_and_not_cut(given_title: str, cleaned: str) -> None:
    assert clean_title(given_title) == cleaned


@given(st.text(max_size=LONGEST_NAME // 4))
def test_a_title_that_fits_is_a_name(text: str) -> None:
    assert clean_title(text) == clean_name(text) == clean_name(clean_title(text))


@given(st.text())
def test_a_cleaned_name_is_short_and_has_no_control_characters(text: str) -> None:
    name = clean_name(text)
    assert len(name) <= LONGEST_NAME
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name)
    assert name == name.strip()


@given(st.text())
def test_what_a_client_says_of_itself_is_one_short_line(text: str) -> None:
    cleaned = clean_user_agent(text)
    assert len(cleaned) <= LONGEST_USER_AGENT
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in cleaned)
    assert cleaned == cleaned.strip() == clean_user_agent(cleaned)


def test_an_ordinary_user_agent_stays_as_it_is() -> None:
    assert clean_user_agent("Mozilla/5.0 (X11; Linux x86_64)") == "Mozilla/5.0 (X11; Linux x86_64)"
    assert clean_user_agent("a\x00b\r\nc" + "x" * 1000) == "a b c" + "x" * 251


@pytest.mark.parametrize("identity", ["", "x" * 129, " ana", "ana\n", "a\x00b", "a\u202eb", "\ud800"])
def test_an_identity_that_is_no_key_is_refused(identity: str) -> None:
    with pytest.raises(ClientMistake) as caught:
        check_identity(identity)
    assert caught.value.code == "bad_message"


def test_a_plain_identity_is_itself() -> None:
    assert check_identity("ana@example.org") == "ana@example.org"


@pytest.mark.parametrize("room", ["", "x" * 65, "../etc", "a b", "a\n", "ä", "a\x00"])
def test_room_ids_are_safe_in_paths(room: str) -> None:
    assert ROOM_ID.match(room) is None
