"""The table from message type to the function that does it. Pure."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from signaling.call import entry, membership, moderation, negotiation, self_flags, talk, tones
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
    "join": entry.join,
    "leave": membership.leave,
    "participants": membership.participants,
    "resume": membership.resume,
    "offer": negotiation.offer,
    "ice-candidate": negotiation.ice_candidate,
    "mute": self_flags.set_own_flag,
    "unmute": self_flags.set_own_flag,
    "deafen": self_flags.set_own_flag,
    "undeafen": self_flags.set_own_flag,
    "hold": self_flags.set_own_flag,
    "unhold": self_flags.set_own_flag,
    "dtmf": tones.press,
    "message": talk.message,
    "signal": talk.signal,
    "ping": talk.ping,
    "moderate": moderation.moderate,
}
