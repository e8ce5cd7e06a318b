"""The HTTP client of commands: requests to a running server, its answers, and their text. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from signaling.errors import BadSettings, Refusal
from signaling.identity.grants import Grants
from signaling.operating.token_keys import make_tokens
from signaling.settings.settings import Settings

_REMEDIES = {
    401: "Pass a key with --key or PARLEY_API_KEY, or use the settings of the server (--dev, --data-dir).",
    403: "Use a token with that permission, or a key with that scope: see docs/permissions.md.",
    404: "List the participants with `parley participant list`, and the bans with `parley ban list`.",
    429: "Wait and try again.",
}

ACTS: Mapping[str, str] = {
    "mute": "Mute a participant.",
    "unmute": "Lift a moderator's mute.",
    "deafen": "Deafen a participant: stop their incoming audio.",
    "undeafen": "Lift a moderator's deafen.",
    "give_floor": "Let a participant speak in a moderated room.",
    "take_floor": "Take the floor back.",
    "kick": "Remove a participant from the room.",
    "ban": "Remove a participant and ban the identity, which may be absent.",
    "unban": "Lift a ban, by identity.",
}
"""Actions on a participant, each with its line of help."""


def room_path(room: str) -> str:
    """Where a room is."""
    return f"/api/v1/rooms/{quote(room, safe='')}"


def bans_path(room: str | None) -> str:
    """Where the bans of a room are, or (without) those of the whole server."""
    return "/api/v1/bans" if room is None else f"{room_path(room)}/bans"


def participant_line(one: Mapping[str, Any]) -> str:
    """Return a participant as a line of text."""
    marks = [name for name in ("self_mute", "mute", "deaf", "suppressed") if one[name]]
    return "  ".join([one["id"], one["identity"], one["name"], one["role"], *marks])


def ban_line(one: Mapping[str, Any]) -> str:
    """Return a ban as a line of text."""
    until = f"until {one['expires_at']}" if one["expires_at"] else "for good"
    return f"{one['id']}  {one['identity']}  {until}  by {one['created_by']}  {one['reason']}".rstrip()


def check_url(url: str) -> str:
    """The address of a server, without a slash at its end. Raises BadSettings."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadSettings(
            f"the address {url!r} is not valid", "it is not the address of a server", "Write https://host."
        )
    return url.rstrip("/")


def unreachable(url: str, why: str) -> Refusal:
    """Return the refusal for a server that is unreachable."""
    return Refusal(
        f"the server at {url} does not answer",
        why,
        "Start it with `parley serve`, or set another one with --url or PARLEY_SERVER_URL.",
    )


def refusal_of(status: int, problem: Mapping[str, Any], url: str) -> Refusal:
    """What is said where the server refuses. Ends with 1 where it is the server's state, with 2 for what was asked."""
    why = str(problem.get("detail") or problem.get("title") or f"it answered {status}")
    if status >= 500 or "code" not in problem:
        request_id = problem.get("request_id")
        log = f"Look for request {request_id} in its log." if request_id else "Check whether this is a Parley server."
        return Refusal(f"the server at {url} cannot do this now ({status})", why, log)
    what = f"the server refuses this ({problem['code']})"
    remedy = _REMEDIES.get(status, "Choose another value.")
    return Refusal(what, why, remedy, exit_code=1 if status == 429 else 2)


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
        answer = _json(raw)
        if not 200 <= status < 300:
            raise refusal_of(status, answer if isinstance(answer, dict) else {}, self.url)
        return answer

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
            "the command has no credentials for the server",
            "neither an API key nor the secret for signing tokens is set",
            "Pass a key with --key or PARLEY_API_KEY, or use the settings of the server (--dev, --data-dir).",
            exit_code=2,
        ) from refusal
    grants = Grants()
    return tokens.issue(IDENTITY, grants=grants, utc=datetime.now(UTC), lifetime=_TOKEN_LIFE, role="operator")


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None
