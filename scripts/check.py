"""Runs the linters and the pure tests of what has changed: check.py [PYTEST OPTION ...].

Changed is what differs from the commit where HEAD left its upstream, committed or not, and what git does not know.
`make lint` and `make test` stay the whole.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("quality", "sfu", "recorder", "signaling")
TYPED = (*PACKAGES, "bench")
"""What mypy reads; the same as in pyproject.toml."""

PURE_TESTS = ("bench", "quality", "recorder", "scripts", "sfu", "signaling", "support")
"""Folders of tests that take no browser and, but for single tests, no server in a process of its own."""

ALWAYS = "tests/test_house.py"


@dataclass(frozen=True)
class Plan:
    """What to run, as paths below the root."""

    python: tuple[str, ...]
    typed: bool
    scripts: tuple[str, ...]
    tests: tuple[str, ...]
    left: tuple[str, ...]
    """Changed files whose tests only `make test` runs."""


def plan(root: Path, changed: Iterable[str]) -> Plan:
    """The linters and tests for changed files that exist."""
    files = sorted(set(changed))
    python = tuple(name for name in files if name.endswith(".py"))
    scripts = tuple(name for name in files if name.endswith(".js") and "vendor" not in Path(name).parts)
    tests: set[str] = {ALWAYS}
    left = []
    for name in files:
        found = concept_tests(root, name)
        tests.update(found)
        if not found:
            left.append(name)
    typed = any(name.partition("/")[0] in TYPED for name in python) or "pyproject.toml" in files
    return Plan(python, typed, scripts, tuple(sorted(tests)), tuple(left))


def concept_tests(root: Path, name: str) -> list[str]:
    """The pure test files of one file: itself, that of its module, that of its package, or those that name it."""
    path = Path(name)
    if path.parts[0] == "tests" and path.name.startswith("test_"):
        return [name] if _is_pure(path) else []
    if path.suffix == ".py":
        inside = path.relative_to("tests") if path.parts[0] == "tests" else path
        for one in (inside, *inside.parents):
            for own in (Path("tests", one.parent, f"test_{one.stem}.py"), Path("tests", one, f"test_{one.name}.py")):
                if one.name and _is_pure(own) and (root / own).exists():
                    return [str(own)]
    return [str(one.relative_to(root)) for one in _pure_tests(root) if _names(one, path)]


def _is_pure(test: Path) -> bool:
    return str(test) == ALWAYS or (len(test.parts) > 2 and test.parts[1] in PURE_TESTS)


def _pure_tests(root: Path) -> Iterator[Path]:
    return (one for folder in PURE_TESTS for one in sorted((root / "tests" / folder).rglob("test_*.py")))


def _names(test: Path, path: Path) -> bool:
    """Whether a test imports a module, or has the name of another file in its text."""
    text = test.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return f'{path.name}"' in text
    package, name = re.escape(".".join(path.parent.parts)), path.stem
    pattern = rf"^(from {package}\.{name} import|from {package} import .*\b{name}\b|import {package}\.{name}\b)"
    return re.search(pattern, text, re.MULTILINE) is not None


def changed_files(root: Path) -> list[str]:
    """What differs from the upstream of this branch, else from origin/main, else from HEAD; and exists."""

    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.splitlines() if done.returncode == 0 else []

    base = git("merge-base", "HEAD", "@{upstream}") or git("merge-base", "HEAD", "origin/main") or ["HEAD"]
    names = git("diff", "--name-only", *base) + git("ls-files", "--others", "--exclude-standard")
    return [name for name in names if (root / name).is_file()]


def commands(chosen: Plan, options: list[str]) -> dict[str, list[str]]:
    """Each command by its name; the tests come last."""
    found: dict[str, list[str]] = {}
    if chosen.python:
        found["ruff check"] = [_tool("ruff"), "check", "--quiet", *chosen.python]
        found["ruff format"] = [_tool("ruff"), "format", "--check", "--quiet", *chosen.python]
    if chosen.typed:
        found["mypy"] = [_tool("mypy")]
        found["lint-imports"] = [_tool("lint-imports")]
    for name in chosen.scripts if shutil.which("node") else ():
        # From standard input, so that it is taken for a module.
        found[f"node --check {name}"] = ["sh", "-c", 'node --input-type=module --check <"$0"', name]
    found["tests"] = [sys.executable, "-m", "pytest", "-q", *options, *chosen.tests]
    return found


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def main() -> int:
    """Run them beside each other; those that are not the tests are heard only when they fail."""
    chosen = plan(ROOT, changed_files(ROOT))
    print(f"{len(chosen.tests)} test files: {' '.join(chosen.tests)}")
    if chosen.left:
        print(f"no pure tests, see make test: {' '.join(chosen.left)}")
    began = time.monotonic()
    *linters, (_, tests) = commands(chosen, sys.argv[1:]).items()
    running = {
        name: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, command in linters
    }
    failed = ["tests"] if subprocess.run(tests, cwd=ROOT, check=False).returncode else []
    for name, process in running.items():
        said = process.communicate()[0]
        if process.returncode:
            failed.append(name)
            print(f"-- {name}\n{said}", end="")
    print(f"{'failed: ' + ', '.join(failed) if failed else 'passed'}, in {time.monotonic() - began:.0f} s")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
