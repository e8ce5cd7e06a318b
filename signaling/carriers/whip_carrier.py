"""Resources of WHIP and WHEP: sessions that live as long as their media. Pure.

The client of such a session cannot be told anything, and has nothing to say but its offer and its end. So nothing of it
is kept for a `resume`, and there is no seat to return to: when the media is gone, so is the person.
"""

import hashlib
import secrets

from signaling.call.conversation import Conversation
from signaling.call.leaving import depart
from signaling.carriers.http_carrier import HttpCarrier
from signaling.errors import ClientMistake
from signaling.protocol.server_messages import LeaveReason
from signaling.protocol.session import Session
from signaling.protocol.whip import WHIP, Way, entity_tag, username_of

_GONE = b'{"type":"endpoint-gone",'


class WhipCarrier(HttpCarrier):
    """One resource, as the line of its session: it reads what the server says, and heeds that its media is gone.

    `id` stands in its URL: 128 random bits. `offer` is the last one, `tag` names the ICE session that its answer began.
    `identity` is who it speaks for, by the token that it was opened with; `seat` is its session, also once that has
    lost this line.
    """

    __slots__ = ("_media_gone", "_token", "id", "identity", "offer", "room_id", "seat", "tag", "way")

    def __init__(self, address: str, user_agent: str, now: float) -> None:
        super().__init__(address, user_agent, now)
        self.id = ""
        self.identity = ""
        self.room_id = ""
        self.offer = ""
        self.tag = ""
        self.way: Way = WHIP
        self.seat: Session | None = None
        self._token = b""
        self._media_gone = False

    def open_as(self, resource_id: str, room_id: str, way: Way, identity: str, token: str) -> None:
        """Whose resource this is, where, and which way its sound goes."""
        self.id, self.room_id, self.way, self.identity = resource_id, room_id, way, identity
        self._token = _digest(token)

    def began(self, offer: str, answer: str) -> None:
        """An ICE session has begun, with this offer and this answer."""
        self.offer, self.tag = offer, entity_tag(answer)

    @property
    def client_username(self) -> str:
        """The ICE username fragment that its client has now."""
        return username_of(self.offer)

    def was_opened_with(self, token: str) -> bool:
        """Whether this is the token of its opening. It is good for its own resource even when its time has passed."""
        return secrets.compare_digest(_digest(token), self._token)

    def deliver(self, frame: bytes) -> None:
        """What the server says: the answer to a request, or that the peer connection has ended."""
        super().deliver(frame)
        if frame.startswith(_GONE):
            self._media_gone = True

    def is_over(self, now: float) -> bool:
        """Whether it was ended, or its media has: consent expired (RFC 7675), DTLS closed, or it never connected."""
        del now
        return self.ended is not None or self.session is None or self._media_gone


class WhipResources:
    """All resources, by their id."""

    def __init__(self) -> None:
        self._lines: dict[str, WhipCarrier] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: WhipCarrier) -> None:
        """One that has begun."""
        self._lines[line.id] = line

    def find(self, way: Way, room_id: str, resource_id: str, now: float) -> WhipCarrier:
        """The resource that a path names. Raises ClientMistake (`not_found`), also for one that is over."""
        line = self._lines.get(resource_id)
        if line is None or line.way is not way or line.room_id != room_id or line.is_over(now):
            raise ClientMistake("not_found", "There is no such resource; it may have ended.")
        return line

    def advance(self, conversation: Conversation, now: float) -> None:
        """Let go of those that are over, and of what the others were sent: nobody will ask for it again."""
        for line in list(self._lines.values()):
            if line.is_over(now):
                del self._lines[line.id]
                part(conversation, line, "media_failure", now)
            elif line.session is not None:
                line.session.heard(line.session.seq)


def part(conversation: Conversation, line: WhipCarrier, reason: LeaveReason, now: float) -> None:
    """The session of this line ends, wherever it stands, and its person leaves. Does nothing for one that has ended."""
    session = line.seat or line.session
    if session is None or session.state == "closed":
        return
    person = conversation.rooms.participant(session.participant_id or "")
    if person is None:
        conversation.lost(line, now)
        return
    depart(conversation, person, reason, now)
    conversation.end(session, "removed")


def _digest(token: str) -> bytes:
    """The token itself is not kept."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
