"""The table from message type to the function that does it. Pure."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from signaling.call import membership, moderation, negotiation, self_flags, talk
from signaling.protocol.client_messages import Request
from signaling.protocol.server_messages import Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session

Handler = Callable[["Conversation", "Session", Request, float], Outgoing | None]
"""Does what a request asks at `now`, and gives back its answer; None where it has answered itself.

Raises ClientMistake before it has changed anything.
"""

HANDLERS: Mapping[str, Handler] = {
    "auth": membership.auth,
    "join": membership.join,
    "leave": membership.leave,
    "participants": membership.participants,
    "resume": membership.resume,
    "offer": negotiation.offer,
    "ice-candidate": negotiation.ice_candidate,
    "mute": self_flags.set_own_flag,
    "unmute": self_flags.set_own_flag,
    "deafen": self_flags.set_own_flag,
    "undeafen": self_flags.set_own_flag,
    "message": talk.message,
    "signal": talk.signal,
    "ping": talk.ping,
    "moderate": moderation.moderate,
}
