"""The index of modules in docs/modules.md, made from the first sentence of each module's docstring."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("signaling", "recorder", "sfu", "quality")
"""From the top down."""
FLOORS = (
    "", "cli", "api", "http", "operating", "history", "carriers", "settings", "webhooks", "call", "storage", "protocol",
    "identity",
)  # fmt: skip
"""The folders of `signaling`, from the top down; a house test compares them with the contract of import-linter."""


def first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring, on one line; raises ValueError where there is none."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path} has no docstring")
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph)[0]


def folders() -> list[Path]:
    """Each folder that holds modules, from the top down."""
    found = []
    for package in PACKAGES:
        names = FLOORS if package == "signaling" else ("",)
        found += [ROOT / package / name for name in names if (ROOT / package / name / "__init__.py").exists()]
    return found


def index() -> str:
    """A heading and a table for each folder."""
    parts = []
    for folder in folders():
        name = str(folder.relative_to(ROOT))
        rows = [
            f"| `{name}/{path.name}` | {first_sentence(path)} |"
            for path in sorted(folder.glob("*.py"))
            if path.name != "__init__.py"
        ]
        parts.append(
            "\n".join(
                (
                    f"## {name}",
                    "",
                    first_sentence(folder / "__init__.py"),
                    "",
                    "| module | what it is |",
                    "|---|---|",
                    *rows,
                )
            )
        )
    return "\n\n".join(parts)
