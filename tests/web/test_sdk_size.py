"""The SDK stays small, and whole: one module that imports nothing."""

import gzip
import re
from pathlib import Path

SDK = Path(__file__).parents[2] / "signaling" / "web" / "parley.js"
MOST = 12_000


def test_the_sdk_is_at_most_12_kilobytes_gzipped() -> None:
    assert len(gzip.compress(SDK.read_bytes(), 9, mtime=0)) <= MOST


def test_the_sdk_depends_on_nothing() -> None:
    text = SDK.read_text()
    assert not re.search(r"^\s*(import|export .* from)\b", text, re.MULTILINE)
    assert "import(" not in text
    assert "eval(" not in text
