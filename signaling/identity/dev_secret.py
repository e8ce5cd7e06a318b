"""Secrets that the server makes itself: once, kept in the data folder, so that a restarted server knows its people.

`--dev` has one, and so has a server that verifies the tokens of others with their public keys: it signs refreshed ones.
"""

import os
import secrets
from pathlib import Path

FILE_NAME = "dev_secret"
SIGNING_FILE_NAME = "signing_secret"
MODE = 0o600
_BYTES = 32


def read_or_make(data_dir: Path, file_name: str = FILE_NAME) -> str:
    """The secret in `data_dir`, made there first if there is none. Raises OSError where the folder cannot be used.

    The file is readable by its owner only; a file that others could read is replaced, as its secret may be known.
    """
    path = data_dir / file_name
    try:
        if path.stat().st_mode & 0o077 == 0:
            text = path.read_text(encoding="ascii", errors="replace").strip()
            if len(text) >= _BYTES:
                return text
        path.unlink()
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _make(path)


def _make(path: Path) -> str:
    """Write beside, then link into place: of two servers that start at once both keep the same secret."""
    text = secrets.token_urlsafe(_BYTES)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    try:
        os.write(handle, text.encode("ascii") + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        text = path.read_text(encoding="ascii").strip()
    finally:
        draft.unlink()
    return text
