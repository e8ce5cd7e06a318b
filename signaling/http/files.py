"""Serves the pages from memory: only files that were in the folder at start."""

import hashlib
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from signaling.http.problems import Handler

WEB_ROOT = Path(__file__).parents[1] / "web"
INDEX = "index.html"
_PAGE = re.compile(r"(/[^/]+)\.html")
_CACHE = "no-cache"
"""Kept, but asked for again each time: names carry no version, and an ETag makes the question cheap."""
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class File:
    """One file as it is sent."""

    body: bytes
    content_type: str
    etag: str


def read_files(root: Path = WEB_ROOT) -> dict[str, File]:
    """All files below `root` by their URL path; hidden ones are left out. An absent folder has no files."""
    return {"/" + path.relative_to(root).as_posix(): _read(path) for path in sorted(_visible(root))}


def add_files(app: web.Application, files: dict[str, File]) -> None:
    """A route for each file, `/` for the index, and `/admin` for `admin.html`: pages at the top have a short name."""
    for path, file in files.items():
        app.router.add_get(path, _handler(file))
        if page := _PAGE.fullmatch(path):
            app.router.add_get("/" if page[0] == "/" + INDEX else page[1], _handler(file))


def _visible(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.is_file() and not any(part.startswith((".", "__")) for part in inside.parts):
            yield path


def _read(path: Path) -> File:
    body = path.read_bytes()
    content_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return File(body, content_type, hashlib.sha256(body).hexdigest()[:32])


def _handler(file: File) -> Handler:
    charset = "utf-8" if file.content_type.startswith(("text/", "application/json")) else None

    async def handle(request: web.Request) -> web.StreamResponse:
        known = any(tag.value in (file.etag, "*") for tag in request.if_none_match or ())
        response = (
            web.Response(status=304)
            if known
            else web.Response(body=file.body, content_type=file.content_type, charset=charset)
        )
        response.etag = file.etag
        response.headers["Cache-Control"] = _CACHE
        return response

    return handle
