"""Write what is generated into the manual: tables, the index of modules, and the OpenAPI document."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.module_index import index  # noqa: E402 - found by way of the line above
from signaling.api import openapi  # noqa: E402
from signaling.identity import permissions  # noqa: E402
from signaling.operating import metrics  # noqa: E402
from signaling.settings import reference  # noqa: E402

BEGIN, END = "<!-- table -->\n", "\n<!-- end of table -->"


def put(page: Path, table: str) -> None:
    """Put the table between the two marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}{table}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    docs = ROOT / "docs"
    put(docs / "settings.md", reference.reference())
    put(docs / "metrics.md", metrics.reference())
    put(docs / "permissions.md", permissions.reference())
    put(docs / "modules.md", index())
    openapi.PATH.write_text(openapi.as_text(), encoding="utf-8")
