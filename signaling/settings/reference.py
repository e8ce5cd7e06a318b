"""The table of docs/settings.md, generated from the settings."""

from dataclasses import dataclass
from typing import Any

from signaling.settings.settings import SECRETS, Settings
from signaling.settings.sources import BARE_NAMES, PREFIX


@dataclass(frozen=True)
class Row:
    """One setting as the manual tells of it."""

    name: str
    variables: tuple[str, ...]
    default: str
    meaning: str


def rows() -> list[Row]:
    """All settings, in the order of the class."""
    found = []
    for name, field in Settings.model_fields.items():
        bare = tuple(variable for variable, setting in BARE_NAMES.items() if setting == name)
        default = "" if name in SECRETS else _shown(field.get_default())
        found.append(Row(name, (PREFIX + name.upper(), *bare), default, field.description or ""))
    return found


def reference() -> str:
    """The table."""
    lines = ["| setting | variables | default | meaning |", "|---|---|---|---|"]
    for row in rows():
        variables = ", ".join(f"`{variable}`" for variable in row.variables)
        default = f"`{row.default}`" if row.default else ""
        lines.append(f"| `{row.name}` | {variables} | {default} | {row.meaning} |")
    return "\n".join(lines)


def _shown(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ", ".join(str(one) for one in default)
    return str(default)
