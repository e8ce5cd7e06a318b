import os

import pytest

from signaling.identity import dev_secret
from signaling.identity.secret_strength import weakness


def test_it_is_made_once_and_kept(tmp_path):
    folder = tmp_path / "a" / "data"
    secret = dev_secret.read_or_make(folder)
    assert not weakness(secret)
    assert dev_secret.read_or_make(folder) == secret
    assert [path.name for path in folder.iterdir()] == [dev_secret.FILE_NAME]


def test_each_purpose_has_a_secret_of_its_own(tmp_path):
    signing = dev_secret.read_or_make(tmp_path, dev_secret.SIGNING_FILE_NAME)
    assert signing != dev_secret.read_or_make(tmp_path)
    assert signing == dev_secret.read_or_make(tmp_path, dev_secret.SIGNING_FILE_NAME)


def test_only_its_owner_can_read_it(tmp_path):
    dev_secret.read_or_make(tmp_path)
    assert (tmp_path / dev_secret.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_one_that_others_could_read_or_that_is_damaged_is_replaced(tmp_path):
    secret = dev_secret.read_or_make(tmp_path)
    path = tmp_path / dev_secret.FILE_NAME
    path.chmod(0o644)
    again = dev_secret.read_or_make(tmp_path)
    assert again != secret
    path.write_text("short")
    assert len(dev_secret.read_or_make(tmp_path)) > 32


def test_of_two_that_start_at_once_both_keep_the_first(tmp_path, monkeypatch):
    real = os.link

    def other_was_first(draft, path):
        path.write_text("the-secret-of-the-other-server-123\n")
        real(draft, path)

    monkeypatch.setattr(os, "link", other_was_first)
    assert dev_secret.read_or_make(tmp_path) == "the-secret-of-the-other-server-123"


def test_a_folder_that_is_a_file_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        dev_secret.read_or_make(tmp_path / "file")
