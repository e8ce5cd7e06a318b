"""The handler for moderators: mute, unmute, deafen, undeafen, kick. Pure."""

from typing import TYPE_CHECKING, cast

from signaling.call.membership import depart
from signaling.call.rooms import Participant
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import Moderate, Request
from signaling.protocol.server_messages import OK, Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session

_FLAGS: dict[str, dict[str, bool]] = {
    "mute": {"mute": True},
    "unmute": {"mute": False},
    "deafen": {"deaf": True},
    "undeafen": {"deaf": False},
}


def moderate(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """One act on one participant of the same room. The person is told, and everybody sees what has changed.

    A moderator's unmute lifts the moderator's mute only, never the person's own.
    Raises ClientMistake: `forbidden`, `no_such_participant`.
    """
    payload = cast(Moderate, request.payload)
    actor = house.person(session)
    room = house.rooms.find(actor.room_id)
    assert room is not None
    target = room.get(payload.target)
    if not actor.outranks(target):
        raise ClientMistake("forbidden", "this needs a moderator, and of no lower role than the other")
    notice = Outgoing("moderated", {"action": payload.action, "by": actor.id, "reason": payload.reason})
    house.audience.tell(target.id, notice)
    if payload.action == "kick":
        _kick(house, target, now)
    elif target.change_flags(**_FLAGS[payload.action]):
        house.media.set_flags(target.id, target.media_flags)
        house.announce_update(target, to_self=True)
    return OK


def _kick(house: "Conversation", target: Participant, now: float) -> None:
    """Out of the room, and the session ends: its client is told not to come back by itself."""
    session = house.audience.session(target.id)
    left = depart(house, target, "removed", now)
    if session is not None:
        session.send(left)
        house.dismiss(session, "removed", "forbidden")
