"""How fast a session may speak: each message counts, and each frame of a WebSocket that carries none. Pure."""

from typing import TYPE_CHECKING

from signaling.errors import ClientMistake, ClosingMistake
from signaling.protocol.carrier import Carrier

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def keeps_pace(house: "Conversation", carrier: Carrier, now: float) -> bool:
    """Count one; whether it is within the limit. The first that is not is told, and a flood ends the line."""
    session = carrier.session
    if session is None:
        return False
    verdict = session.guard.check(now)
    settings = house.settings
    details: dict[str, object] = {
        "messages_per_second": settings.messages_per_second,
        "burst": settings.message_burst,
    }
    if verdict == "tell":
        house.refuse(session, ClientMistake("rate_limited", details=details))
    elif verdict == "close":
        house.refuse(session, ClosingMistake("rate_limited", details=details))
    return verdict == "pass"
