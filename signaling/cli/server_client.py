"""Asks a running server, for commands that act on live rooms."""

import json
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from signaling.cli.server_answers import check_url, refusal_of, unreachable
from signaling.identity.grants import Grants
from signaling.operating.token_keys import make_tokens
from signaling.refusals import Refusal
from signaling.settings.settings import Settings

TIMEOUT = 15.0
IDENTITY = "cli"
"""Who acts where no key is given; a trail names it so."""
_TOKEN_LIFE = timedelta(minutes=1)
_LARGEST = 16 << 20


class ServerClient:
    """One server, and the key or token that it is shown."""

    def __init__(self, url: str, key: str) -> None:
        self.url = check_url(url)
        self._key = key

    def ask(self, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> Any:
        """The JSON of its answer, None where there is none. Raises Refusal for whatever stands in the way."""
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        target = f"{parts.path}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            status, raw = response.status, response.read(_LARGEST)
        except (OSError, HTTPException) as error:
            why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            raise unreachable(self.url, why) from error
        finally:
            connection.close()
        told = _json(raw)
        if not 200 <= status < 300:
            raise refusal_of(status, told if isinstance(told, dict) else {}, self.url)
        return told

    def pages(self, path: str, query: dict[str, str] | None = None) -> list[Any]:
        """All items of a list, page after page. Raises as `ask`."""
        found: list[Any] = []
        wanted = {"limit": "200", **(query or {})}
        while True:
            page = self.ask("GET", path, query=wanted)
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            wanted["cursor"] = page["next_cursor"]


def client_for(settings: Settings, url: str | None, key: str | None) -> ServerClient:
    """The server and the key of flags or settings; without a key, a token of a minute signed with the secret set here.

    Raises Refusal, where there is no secret either.
    """
    scheme = "https" if settings.tls else "http"
    there = url or settings.server_url or f"{scheme}://{settings.http_hosts[0] if settings.dev else 'localhost'}"
    if not (url or settings.server_url):
        there = f"{there}:{settings.port}"
    return ServerClient(there, key or settings.api_key.get_secret_value() or _own_token(settings))


def _own_token(settings: Settings) -> str:
    try:
        tokens = make_tokens(settings)
    except Refusal as refusal:
        raise Refusal(
            "there is nothing to show the server",
            "neither a key nor the secret that it signs tokens with is set",
            "Give a key with --key or PARLEY_API_KEY, or run this with the settings of the server (--dev, --data-dir).",
            exit_code=2,
        ) from refusal
    grants = Grants()
    return tokens.issue(IDENTITY, grants=grants, utc=datetime.now(UTC), lifetime=_TOKEN_LIFE, role="operator")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
