"""Signing secrets: their strength, and the ones that the server generates. Pure."""

import os
import re
import secrets
from pathlib import Path

SHORTEST = 32
"""Minimum bytes. RFC 7518 section 3.2: an HS256 key is at least as long as the hash."""

_FEWEST_DIFFERENT = 8

_WELL_KNOWN = re.compile(
    r"change.?me|change.?this|your.?(super.?)?secret|super.?secret|insecure|devkey"
    r"|256.?bit.?secret|string.?secret|change.?in.?prod|replace.?(me|this)|^(secret|password)+$",
)
"""Substrings of secrets from tutorials, sample files and defaults of other servers."""


def weakness(secret: str) -> str:
    """Return why this secret is refused, or an empty text. The reason never contains the secret."""
    if not secret:
        return "it is missing"
    length = len(secret.encode())
    if length < SHORTEST:
        return f"it has {length} bytes, and a secret of fewer than {SHORTEST} can be guessed"
    if _WELL_KNOWN.search(secret.lower()):
        return "it is a well-known secret, or made from one"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return f"it has fewer than {_FEWEST_DIFFERENT} different characters"
    return ""


FILE_NAME = "dev_secret"
SIGNING_FILE_NAME = "signing_secret"
MODE = 0o600
_BYTES = 32


def read_or_make(data_dir: Path, file_name: str = FILE_NAME) -> str:
    """Return the secret in `data_dir`, made first if there is none. Raises OSError if the folder is unusable.

    Only its owner can read the file. A file that others could read is replaced, as its secret may be known.
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
    """Write a temporary file, then link it into place, so that two servers that start together share one secret."""
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
