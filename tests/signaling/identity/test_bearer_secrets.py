from random import Random

from hypothesis import given
from hypothesis import strategies as st

from signaling.identity.bearer_secrets import (
    hash_of,
    matches,
    new_api_key,
    new_invite_token,
    parse_api_key,
)


@given(st.integers())
def test_a_key_is_read_as_it_was_made(seed):
    key = new_api_key(Random(seed).randbytes)
    assert parse_api_key(str(key)) == key


@given(st.text() | st.from_regex(r"parley_\w{0,14}_\w{0,50}"))
def test_any_text_is_a_key_or_none(text):
    key = parse_api_key(text)
    assert key is None or str(key) == text


def test_how_much_chance_is_in_a_secret():
    drawn: list[int] = []

    def chance(size: int) -> bytes:
        drawn.append(size)
        return bytes(size)

    new_api_key(chance)
    new_invite_token(chance)
    assert sorted(drawn) == [8, 16, 32]


@given(st.text(st.characters()), st.text(st.characters()))
def test_a_secret_matches_what_was_kept_of_it_and_nothing_else(secret, other):
    assert matches(secret, hash_of(secret))
    assert matches(other, hash_of(secret)) == (other == secret)
    assert secret not in hash_of(secret) or len(secret) < 3
