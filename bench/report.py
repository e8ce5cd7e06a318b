"""How a bench says what it found: a table for people, and with `--json` one object on the last line for machines."""

import argparse
import json as json_text
import math
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `reach` is what it is held to, where anything is; `better` says in which direction."""

    name: str
    value: float
    unit: str
    reach: float | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def reached(self) -> bool | None:
        """Whether the value is as good as `reach`; None where there is nothing to reach."""
        if self.reach is None:
            return None
        return self.value <= self.reach if self.better == "lower" else self.value >= self.reach


@dataclass(frozen=True, slots=True)
class Options:
    """What every bench is asked: `json` for machines, `quick` for fewer rounds and the same figures."""

    json: bool
    quick: bool


def options(description: str | None, arguments: Sequence[str] | None = None) -> Options:
    """Read the command line of a bench; `description` is its module's docstring."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, the same figures, within 60 s")
    parsed = parser.parse_args(arguments)
    return Options(parsed.json, parsed.quick)


def report(bench: str, figures: Sequence[Figure], json: bool) -> None:
    """Print the figures. Raises ValueError where there are none, or one is no number: nothing was measured then."""
    if not figures:
        raise ValueError(f"bench {bench} has measured nothing")
    for figure in figures:
        if not math.isfinite(figure.value):
            raise ValueError(f"bench {bench} has not measured {figure.name}")
    print("\n".join(table(figures)), flush=True)
    if json:
        found = {
            "bench": bench,
            "figures": [asdict(figure) for figure in figures],
            "machine": machine(),
            "commit": commit(),
        }
        print(json_text.dumps(found), flush=True)


def table(figures: Sequence[Figure]) -> list[str]:
    """One line a figure, with what is to be reached and whether it is."""
    verdicts = {None: "", True: "reached", False: "not reached"}
    rows = [("figure", "value", "unit", "reach", "")]
    for figure in figures:
        sign = "<=" if figure.better == "lower" else ">="
        reach = "" if figure.reach is None else f"{sign} {figure.reach:g}"
        rows.append((figure.name, _rounded(figure.value), figure.unit, reach, verdicts[figure.reached]))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]


def _rounded(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    information = _read("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("model name")]
    memory = [line.split()[1] for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal:")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": max(1, len(models)),
        "memory_mb": int(memory[0]) // 1024 if memory else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit that was measured, with `+` where the tree differs from it; "unknown" outside a checkout."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return f"{name}+" if _git("status", "--porcelain", "--untracked-files=no") else name
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
