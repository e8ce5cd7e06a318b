import secrets

import pytest

from signaling.identity.secret_strength import weakness


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "none"),
        ("x" * 31, "31 bytes"),
        ("a-string-secret-at-least-256-bits-long", "well-known"),
        ("please-CHANGE-ME-please-change-me-please", "well-known"),
        ("secretsecretsecretsecretsecretsecret", "well-known"),
        ("ab" * 20, "different characters"),
    ],
)
def test_a_weak_secret_is_refused_with_a_reason(secret, why):
    assert why in weakness(secret)


def test_a_random_secret_is_fine():
    assert all(not weakness(secrets.token_urlsafe(32)) for _ in range(100))
    assert not weakness(secrets.token_hex(16))


def test_length_is_counted_in_bytes():
    # RFC 7518 section 3.2: a key is no shorter than the hash, 32 bytes.
    assert not weakness("äöüßéèêçñåøœ" + "abcdefghi")
