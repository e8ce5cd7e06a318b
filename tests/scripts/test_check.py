"""Which tests and linters `make check` chooses for a change."""

import subprocess
from pathlib import Path

import pytest

from scripts.check import ALWAYS, changed_files, commands, concept_tests, plan

FILES = {
    "sfu/room.py": "",
    "sfu/lonely.py": "",
    "sfu/unknown.py": "",
    "signaling/call/rooms.py": "",
    "signaling/call/leaving.py": "",
    "signaling/web/parley.js": "",
    "docs/settings.md": "",
    "tests/sfu/test_room.py": "from sfu.lonely import Lonely\n",
    "tests/sfu/test_slot.py": "from sfu import room, lonely\n",
    "tests/signaling/test_call.py": "",
    "tests/signaling/call/test_rooms.py": "",
    "tests/signaling/test_settings.py": 'PAGE = ROOT / "docs" / "settings.md"\n',
    "tests/support/clock.py": "",
    "tests/support/test_clock.py": "",
    "tests/web/test_page.py": '"parley.js"',
    ALWAYS: "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("sfu/room.py", ["tests/sfu/test_room.py"]),
        ("signaling/call/rooms.py", ["tests/signaling/call/test_rooms.py"]),
        # No file of its own: that of its package, then those that import it.
        ("signaling/call/leaving.py", ["tests/signaling/test_call.py"]),
        ("sfu/lonely.py", ["tests/sfu/test_room.py", "tests/sfu/test_slot.py"]),
        ("sfu/unknown.py", []),
        ("tests/support/clock.py", ["tests/support/test_clock.py"]),
        ("tests/sfu/test_slot.py", ["tests/sfu/test_slot.py"]),
        # Browsers are for `make test`.
        ("tests/web/test_page.py", []),
        ("signaling/web/parley.js", []),
        ("docs/settings.md", ["tests/signaling/test_settings.py"]),
        (ALWAYS, [ALWAYS]),
    ],
)
def test_a_file_has_the_concept_tests_its_concept(tree: Path, name: str, tests: list[str]) -> None:
    assert concept_tests(tree, name) == tests


def test_the_linters_are_those_of_what_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: program)
    chosen = plan(tree, ["sfu/room.py", "tests/sfu/test_room.py", "signaling/web/parley.js"])
    assert chosen.tests == ("tests/sfu/test_room.py", ALWAYS)
    assert chosen.left == ("signaling/web/parley.js",)
    found = commands(chosen, ["-x"])
    assert list(found) == [
        "ruff check",
        "ruff format",
        "mypy",
        "lint-imports",
        "node --check signaling/web/parley.js",
        "tests",
    ]
    assert found["ruff check"][1:] == ["check", "--quiet", "sfu/room.py", "tests/sfu/test_room.py"]
    assert found["tests"][2:] == ["pytest", "-q", "-x", "tests/sfu/test_room.py", ALWAYS]
    assert list(commands(plan(tree, ["tests/sfu/test_room.py"]), [])) == ["ruff check", "ruff format", "tests"]
    assert list(commands(plan(tree, ["docs/settings.md"]), [])) == ["tests"]


def test_changed_is_what_is_not_upstream(tmp_path: Path) -> None:
    def git(folder: Path, *words: str) -> None:
        who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org")
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    upstream, here = tmp_path / "upstream", tmp_path / "here"
    upstream.mkdir()
    git(upstream, "init", "--quiet", "--initial-branch=main")
    for name in ("old.py", "edited.py", "gone.py"):
        (upstream / name).write_text("1")
    git(upstream, "add", ".")
    git(upstream, "commit", "--quiet", "--message=first")
    git(tmp_path, "clone", "--quiet", "upstream", "here")
    assert changed_files(here) == []
    (here / "committed.py").write_text("1")
    git(here, "add", ".")
    git(here, "commit", "--quiet", "--message=second")
    (here / "edited.py").write_text("2")
    (here / "gone.py").unlink()
    (here / "new.py").write_text("1")
    assert changed_files(here) == ["committed.py", "edited.py", "new.py"]
