"""Errors of signaling: one tree whose first fork says which side is wrong, and one table of the answers.

`ClientMistake`: the request breaks the protocol, exceeds a limit, or lacks permission. Answer it, and go on.
`ClosingMistake`: the same, but the connection ends with the answer.
`OurMistake`: log it with its traceback; end this connection and no other.
`StorageUnavailable`: neither side is wrong, the database is unreachable. Answer it; calls go on.

`ERRORS` is the only place where an HTTP status or a WebSocket close code is chosen.
"""

from collections.abc import Mapping
from typing import NamedTuple


class ErrorRow(NamedTuple):
    """What an error code means at the edge.

    `status` is the HTTP status (RFC 9110) of the same refusal over REST. `close_code` is what a WebSocket is closed
    with (RFC 6455 section 7.4) if this error ends it, None for an error that never does. `sentence` is for users.
    """

    status: int
    close_code: int | None
    sentence: str


ERRORS: Mapping[str, ErrorRow] = {
    "bad_message": ErrorRow(400, None, "The message does not follow the protocol."),
    "unknown_type": ErrorRow(400, None, "There is no message of this type."),
    "unexpected_message": ErrorRow(409, None, "The message is not allowed in this state of the session."),
    "too_large": ErrorRow(413, 1009, "The message is larger than the limit."),
    "rate_limited": ErrorRow(429, 1008, "Too many requests. Slow down."),
    "unauthenticated": ErrorRow(401, 4401, "Authenticate first."),
    "token_expired": ErrorRow(401, 4402, "The token has expired. Get a new one."),
    "token_invalid": ErrorRow(401, 4405, "The token is not valid here."),
    "forbidden": ErrorRow(403, 4403, "The token does not allow this."),
    "muted": ErrorRow(403, None, "You are muted or on hold, so the server does not send this."),
    "banned": ErrorRow(403, 4406, "You are banned from this room."),
    "password_required": ErrorRow(403, None, "This room needs a password."),
    "password_wrong": ErrorRow(403, None, "The password is wrong."),
    "invite_required": ErrorRow(403, None, "This room is private. You need an invite."),
    "room_closed": ErrorRow(410, 4411, "The scheduled end of this room has passed."),
    "room_full": ErrorRow(409, None, "The room is full."),
    "duplicate_identity": ErrorRow(409, 4409, "This identity is in the room with another session."),
    "not_in_room": ErrorRow(409, None, "Join a room first."),
    "no_such_participant": ErrorRow(404, None, "There is no such participant in this room."),
    "bad_sdp": ErrorRow(400, None, "The server cannot read the session description."),
    "no_audio": ErrorRow(400, None, "The offer has no usable audio."),
    "no_codec": ErrorRow(400, None, "The offer has no codec that the server supports. Offer Opus."),
    "slow_consumer": ErrorRow(503, 1013, "The client did not read its messages fast enough."),
    "session_taken": ErrorRow(409, 4410, "The session was resumed on another connection."),
    "server_shutdown": ErrorRow(503, 1001, "The server is shutting down."),
    "overloaded": ErrorRow(503, None, "The server accepts no joins at the moment. Try again later."),
    "storage_unavailable": ErrorRow(503, None, "The database is unreachable at the moment. Try again later."),
    "already_exists": ErrorRow(409, None, "This id or name is taken."),
    "stale": ErrorRow(412, None, "It has changed since you read it. Read it again."),
    "precondition_required": ErrorRow(428, None, "Send If-Match with the version that you read."),
    "key_reused": ErrorRow(422, None, "This Idempotency-Key was sent with another request."),
    "in_progress": ErrorRow(409, None, "A request with this Idempotency-Key is still in progress."),
    "invite_invalid": ErrorRow(403, None, "The invite is unknown, used up, expired or revoked."),
    "not_found": ErrorRow(404, None, "There is nothing at this address."),
    "method_not_allowed": ErrorRow(405, None, "This address does not support that method."),
    "timeout": ErrorRow(408, None, "The request took too long."),
    "unsupported_media_type": ErrorRow(415, None, "The body must be application/json."),
    "misdirected": ErrorRow(421, None, "This server does not serve that host name."),
    "internal": ErrorRow(500, 4500, "The server made an error."),
}
"""Every error code: stable, and the same on WebSocket and REST."""


class SignalingError(Exception):
    """The root of the tree. `code` is a key of `ERRORS`; `details` go to the client as they are."""

    def __init__(self, code: str, message: str = "", details: dict[str, object] | None = None) -> None:
        self.row = ERRORS[code]
        self.code = code
        self.message = message or self.row.sentence
        self.details = details
        super().__init__(self.message)


class ClientMistake(SignalingError):
    """The client is wrong. Answer it; the session goes on, and its state is as it was."""


class ClosingMistake(ClientMistake):
    """The client is wrong, and its connection ends with the answer. Only for codes that have a close code."""


class OurMistake(SignalingError):
    """We are wrong. Log it with its traceback, answer `internal`, end this connection and no other."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message)


class StorageUnavailable(SignalingError):
    """The database is down, locked or too slow (`storage_unavailable`). Neither side is wrong: answer, and retry later.

    The write did not happen. `message` is for the log; a client gets the sentence of the table.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("storage_unavailable", reason)


class WeakSecret(OurMistake):
    """The secret for signing tokens is short or well known, and is not used."""


class BadKey(OurMistake):
    """A key, or a set of keys, that tokens cannot be verified with."""


def code_for_media(code: str) -> str:
    """Return the wire code for a code of the SFU's offer parser: the same if the table has it, else `bad_sdp`."""
    return code if code in ("bad_sdp", "no_audio", "no_codec") else "bad_sdp"


class Refusal(OurMistake):
    """The host, a setting or an argument prevents a command from continuing.

    It states `what` happened, `why`, and what to do next (`remedy`). `exit_code` is 1 for a cause in the host and 2
    for a wrong command or setting.
    """

    def __init__(self, what: str, why: str, remedy: str, *, exit_code: int = 1) -> None:
        super().__init__(f"{what}: {why}")
        self.what = what
        self.why = why
        self.remedy = remedy
        self.exit_code = exit_code

    def as_json(self) -> dict[str, str]:
        """The three parts, for `--json`."""
        return {"error": self.what, "why": self.why, "remedy": self.remedy}


class BadSettings(Refusal):
    """A setting is unknown, malformed, or not safe to run with."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy, exit_code=2)


class PortTaken(Refusal):
    """A port that the server needs is not free."""
