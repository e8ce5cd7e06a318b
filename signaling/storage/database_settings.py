"""Which database, and how it is reached: from the settings' URL to what the drivers take. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

FILE = "parley.db"
"""In the data folder, where no URL names another database."""


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One database. `path` is set for SQLite only. Times are seconds.

    `statement_seconds` bounds one statement, the wait for a lock, and the wait for a free connection.
    """

    kind: Literal["sqlite", "postgresql"]
    url: str
    path: Path | None = None
    ssl: str | None = None
    pool_size: int = 10
    statement_seconds: float = 5.0

    @property
    def embedded(self) -> bool:
        """The database is a file of this server, and nobody else's."""
        return self.kind == "sqlite"


def choose_database(
    url: str, data_dir: Path, *, pool_size: int = 10, statement_seconds: float = 5.0
) -> DatabaseSettings:
    """The database of a URL that `setting_types.check_database_url` has let pass; of an empty one, the embedded one."""
    parts = urlsplit(url)
    if not url or parts.scheme == "sqlite":
        path = Path(parts.path[1:]) if url else data_dir / FILE
        return DatabaseSettings("sqlite", "", path, None, pool_size, statement_seconds)
    query = dict(parse_qsl(parts.query))
    ssl = query.pop("sslmode", None)
    rewritten = f"postgresql+asyncpg://{parts.netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")
    return DatabaseSettings("postgresql", rewritten, None, ssl, pool_size, statement_seconds)
