"""What the conversation asks of whatever carries messages to and from one client: a WebSocket, or plain HTTP."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from signaling.protocol.session import Session


class Carrier(Protocol):
    """One client's line. None of this waits, and none of it calls back into the conversation before it returns.

    `session` is whom the line speaks for; the conversation alone changes it, and sets it to None when the line has been
    superseded: what still arrives on it then is not looked at. `address` is the client's IP address, `user_agent` what
    it says of itself, cleaned; empty where it says nothing.
    """

    session: "Session | None"
    address: str
    user_agent: str

    def deliver(self, frame: bytes) -> None:
        """Queue one message (UTF-8 JSON). A line whose queue is full drops the message and closes itself."""

    def close(self, code: str) -> None:
        """Send what is queued, then close for the reason `code`, a key of `ERRORS`. Later calls do nothing."""
