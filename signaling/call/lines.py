"""How many connections an identity holds. Pure."""

from typing import TYPE_CHECKING

from signaling.errors import ClosingMistake
from signaling.protocol.session import Session

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def hold_line(house: "Conversation", identity: str) -> None:
    """Count a line of an identity. Raises ClosingMistake (`rate_limited`)."""
    if not house.lines.acquire(identity):
        most = house.settings.sockets_per_identity
        raise ClosingMistake("rate_limited", f"an identity has at most {most} connections")


def release_line(house: "Conversation", session: Session) -> None:
    """Count it no longer."""
    if session.claims is not None:
        house.lines.release(session.claims.identity)
