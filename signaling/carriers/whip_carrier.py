"""The carriers of WHIP and WHEP: one HTTP resource carries a session for as long as its media lasts. Pure.

The client receives no messages, and sends only its offer and its end. So the session stores nothing for `resume`, and
the participant leaves as soon as the media ends.
"""

import hashlib
import secrets

from signaling.call.conversation import Conversation
from signaling.call.leaving import remove_session
from signaling.carriers.http_carrier import HttpCarrier
from signaling.errors import ClientMistake
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import LeaveReason, Outgoing
from signaling.protocol.session import Session
from signaling.protocol.whip import WHIP, Way, entity_tag, username_of


class WhipCarrier(HttpCarrier):
    """One resource of WHIP or WHEP. It ends when the server reports the end of its media.

    `id` stands in its URL: 128 random bits. `offer` is the last offer, `tag` names the ICE session of its answer.
    `identity` is that of the token which opened it. `opened` is its session, also after that has lost this carrier.
    """

    __slots__ = ("_media_gone", "_token", "id", "identity", "offer", "opened", "room_id", "tag", "way")

    def __init__(self, address: str, user_agent: str, now: float) -> None:
        super().__init__(address, user_agent, now)
        self.id = ""
        self.identity = ""
        self.room_id = ""
        self.offer = ""
        self.tag = ""
        self.way: Way = WHIP
        self.opened: Session | None = None
        self._token = b""
        self._media_gone = False

    def open_as(self, resource_id: str, room_id: str, way: Way, identity: str, token: str) -> None:
        """Set the resource's id, room, direction, identity and token."""
        self.id, self.room_id, self.way, self.identity = resource_id, room_id, way, identity
        self._token = _digest(token)

    def began(self, offer: str, answer: str) -> None:
        """An ICE session has begun with this offer and this answer."""
        self.offer, self.tag = offer, entity_tag(answer)

    @property
    def client_username(self) -> str:
        """The client's current ICE username fragment."""
        return username_of(self.offer)

    def was_opened_with(self, token: str) -> bool:
        """Whether this token opened the resource. It remains valid for the resource after it has expired."""
        return secrets.compare_digest(_digest(token), self._token)

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        """Note a message for `answer`, and the end of the media."""
        super().deliver(message, seq, request_id)
        if message.type == "endpoint-gone":
            self._media_gone = True

    def is_over(self, now: float) -> bool:
        """Whether it or its media has ended: consent expired (RFC 7675), DTLS closed, or it never connected."""
        del now
        return self.ended is not None or self.session is None or self._media_gone


class WhipResources:
    """All resources, by id."""

    def __init__(self) -> None:
        self._carriers: dict[str, WhipCarrier] = {}

    def __len__(self) -> int:
        return len(self._carriers)

    def add(self, carrier: WhipCarrier) -> None:
        """Add a resource."""
        self._carriers[carrier.id] = carrier

    def find(self, way: Way, room_id: str, resource_id: str, now: float) -> WhipCarrier:
        """The resource of a path. Raises ClientMistake (`not_found`), also for one that is over."""
        carrier = self._carriers.get(resource_id)
        if carrier is None or carrier.way is not way or carrier.room_id != room_id or carrier.is_over(now):
            raise ClientMistake("not_found", "There is no such resource; it may have ended.")
        return carrier

    def advance(self, conversation: Conversation, now: float) -> None:
        """Remove the resources that are over. The sessions of the others store no messages."""
        for carrier in list(self._carriers.values()):
            if carrier.is_over(now):
                del self._carriers[carrier.id]
                part(conversation, carrier, "media_failure", now)
            elif carrier.session is not None:
                carrier.session.heard(carrier.session.seq)


def part(conversation: Conversation, carrier: WhipCarrier, reason: LeaveReason, now: float) -> None:
    """End the session of a resource, in whatever state, and its participation. Does nothing if it has ended."""
    session = carrier.opened or carrier.session
    if session is not None and not remove_session(conversation, session, reason, now):
        conversation.lost(carrier, now)


def _digest(token: str) -> bytes:
    """The token itself is not stored."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
