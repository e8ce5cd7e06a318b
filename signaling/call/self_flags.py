"""Handlers for what people do to themselves: mute, unmute, deafen, undeafen, hold, unhold. Pure.

They move `self_mute`, `self_deaf` and `held` and nothing else: a moderator's mute stays. A hold leaves all five as they
are, and what is changed of them meanwhile cannot be heard until it ends.
"""

from typing import TYPE_CHECKING

from signaling.call.audience import announce_update
from signaling.protocol.client_messages import Request
from signaling.protocol.server_messages import Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session

_FLAGS: dict[str, dict[str, bool]] = {
    "mute": {"self_mute": True},
    "unmute": {"self_mute": False},
    "deafen": {"self_deaf": True},
    "undeafen": {"self_deaf": False},
    "hold": {"held": True},
    "unhold": {"held": False},
}


def set_own_flag(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """Set what the type of the request names; the answer is one's own `participant-updated`.

    The others are told only of a change.
    """
    del now
    person = house.person(session)
    if not person.change_flags(**_FLAGS[request.type]):
        return Outgoing("participant-updated", {"participant": person.view()})
    house.media.set_flags(person.id, person.media_flags)
    return announce_update(house, person)
