import os
import secrets

import pytest

from signaling.identity import signing_secrets
from signaling.identity.signing_secrets import weakness


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "missing"),
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


def test_it_is_made_once_and_kept(tmp_path):
    folder = tmp_path / "a" / "data"
    secret = signing_secrets.read_or_make(folder)
    assert not weakness(secret)
    assert signing_secrets.read_or_make(folder) == secret
    assert [path.name for path in folder.iterdir()] == [signing_secrets.FILE_NAME]


def test_each_purpose_has_a_secret_of_its_own(tmp_path):
    signing = signing_secrets.read_or_make(tmp_path, signing_secrets.SIGNING_FILE_NAME)
    assert signing != signing_secrets.read_or_make(tmp_path)
    assert signing == signing_secrets.read_or_make(tmp_path, signing_secrets.SIGNING_FILE_NAME)


def test_only_its_owner_can_read_it(tmp_path):
    signing_secrets.read_or_make(tmp_path)
    assert (tmp_path / signing_secrets.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_one_that_others_could_read_or_that_is_damaged_is_replaced(tmp_path):
    secret = signing_secrets.read_or_make(tmp_path)
    path = tmp_path / signing_secrets.FILE_NAME
    path.chmod(0o644)
    again = signing_secrets.read_or_make(tmp_path)
    assert again != secret
    path.write_text("short")
    assert len(signing_secrets.read_or_make(tmp_path)) > 32


def test_of_two_that_start_at_once_both_keep_the_first(tmp_path, monkeypatch):
    real = os.link

    def other_was_first(draft, path):
        path.write_text("the-secret-of-the-other-server-123\n")
        real(draft, path)

    monkeypatch.setattr(os, "link", other_was_first)
    assert signing_secrets.read_or_make(tmp_path) == "the-secret-of-the-other-server-123"


def test_a_folder_that_is_a_file_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        signing_secrets.read_or_make(tmp_path / "file")
