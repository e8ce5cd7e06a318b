"""What commands ask of a running server, what it answers, and what is said of that. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from signaling.refusals import BadSettings, Refusal

_REMEDIES = {
    401: "Give a key with --key or PARLEY_API_KEY, or run this with the settings of the server (--dev, --data-dir).",
    403: "Use the token of somebody who may, or a key with that scope: see docs/permissions.md.",
    404: "See who is there with `parley participant list`, and who is banned with `parley ban list`.",
    429: "Wait, and try again.",
}

ACTS: Mapping[str, str] = {
    "mute": "Silence somebody.",
    "unmute": "Lift a moderator's mute.",
    "deafen": "Let somebody hear nobody.",
    "undeafen": "Lift a moderator's deafen.",
    "give_floor": "Let somebody speak in a moderated room.",
    "take_floor": "Take that back.",
    "kick": "Remove somebody from the room.",
    "ban": "Remove somebody, and keep them out; they need not be there.",
    "unban": "Lift a ban, by identity.",
}
"""What is done to somebody in a room, and the line of its help."""


def room_path(room: str) -> str:
    """Where a room is."""
    return f"/api/v1/rooms/{quote(room, safe='')}"


def bans_path(room: str | None) -> str:
    """Where the bans of a room are, or (without) those of the whole server."""
    return "/api/v1/bans" if room is None else f"{room_path(room)}/bans"


def participant_line(one: Mapping[str, Any]) -> str:
    """Somebody who is in, for people."""
    marks = [name for name in ("self_mute", "mute", "deaf", "suppressed") if one[name]]
    return "  ".join([one["id"], one["identity"], one["name"], one["role"], *marks])


def ban_line(one: Mapping[str, Any]) -> str:
    """A ban, for people."""
    until = f"until {one['expires_at']}" if one["expires_at"] else "for good"
    return f"{one['id']}  {one['identity']}  {until}  by {one['created_by']}  {one['reason']}".rstrip()


def check_url(url: str) -> str:
    """The address of a server, without a slash at its end. Raises BadSettings."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise BadSettings(f"the address {url!r} is not possible", "it is no address of a server", "Write https://host.")
    return url.rstrip("/")


def unreachable(url: str, why: str) -> Refusal:
    """Nobody answers there."""
    return Refusal(
        f"the server at {url} does not answer",
        why,
        "Start it with `parley serve`, or name another one with --url or PARLEY_SERVER_URL.",
    )


def refusal_of(status: int, problem: Mapping[str, Any], url: str) -> Refusal:
    """What is said where the server refuses. Ends with 1 where it is the server's state, with 2 for what was asked."""
    why = str(problem.get("detail") or problem.get("title") or f"it answered {status}")
    if status >= 500 or "code" not in problem:
        request_id = problem.get("request_id")
        log = f"Look for request {request_id} in its log." if request_id else "See whether this is a Parley server."
        return Refusal(f"the server at {url} cannot do that now ({status})", why, log)
    what = f"the server refuses that ({problem['code']})"
    remedy = _REMEDIES.get(status, "Choose another value.")
    return Refusal(what, why, remedy, exit_code=1 if status == 429 else 2)
