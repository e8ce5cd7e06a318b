"""Messages from the server: the shape of each payload, and its serialisation. Pure.

The payloads are typed dictionaries, as nothing that we make ourselves needs checking while it runs; pydantic reads the
same types for the JSON Schema, and the tests check what is sent against it. A payload is serialised once, however many
sessions it goes to; `frame` puts the envelope of one session around it.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired

import orjson
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from signaling.protocol.envelope import RequestId

_CLOSED: ConfigDict = ConfigDict(extra="forbid", strict=True)

LeaveReason = Literal[
    "client_initiated",
    "duplicate_identity",
    "server_shutdown",
    "removed",
    "banned",
    "room_deleted",
    "join_failure",
    "migration",
    "connection_timeout",
    "media_failure",
    "idle",
]
EarlyEnd = Literal["room_deleted", "scheduled_end", "server_shutdown"]
"""Why a call ends while people are in it."""


@with_config(_CLOSED)
class ParticipantView(TypedDict):
    """A participant as others see it. `joined_at` is RFC 3339, UTC."""

    id: str
    identity: str
    name: str
    role: Literal["owner", "moderator", "member"]
    state: Literal["joined", "active", "reconnecting"]
    self_mute: bool
    self_deaf: bool
    mute: bool
    deaf: bool
    suppressed: bool
    held: bool
    joined_at: str


@with_config(_CLOSED)
class ServerName(TypedDict):
    """The server's name and version."""

    name: str
    version: str


@with_config(_CLOSED)
class SessionLimits(TypedDict):
    """The limits of a session: bytes a message, messages a second, seconds to resume after a lost connection."""

    message_bytes: int
    messages_per_second: float
    resume_seconds: float


@with_config(_CLOSED)
class Welcome(TypedDict):
    """The session is open. The secret is for `resume`, and changes with each resume."""

    session: str
    secret: str
    resumed: bool
    identity: str
    name: str
    server: ServerName
    limits: SessionLimits


@with_config(_CLOSED)
class RoomLimits(TypedDict):
    """Useful audio slots, the limit of participants, and the days for which the room stores messages, if it does."""

    slots: int
    max_participants: int
    message_days: NotRequired[int]


@with_config(_CLOSED)
class IceServer(TypedDict):
    """An ICE server, as a W3C RTCIceServer."""

    urls: list[str]
    username: NotRequired[str]
    credential: NotRequired[str]


@with_config(_CLOSED)
class AudioWishes(TypedDict):
    """The room's settings for a talker's encoder, as in the SDP answer: bits a second, milliseconds of a packet."""

    preset: str
    bitrate: int | None
    ptime: int
    dtx: bool
    fec: bool
    stereo: bool


@with_config(_CLOSED)
class LiveCallView(TypedDict):
    """The current or ending call of the room, with its id in the history. Times are RFC 3339, UTC."""

    id: str
    state: Literal["active", "ended"]
    started_at: str
    ended_at: NotRequired[str]
    reason: NotRequired[EarlyEnd]


@with_config(_CLOSED)
class Joined(TypedDict):
    """The whole state of the room; `participants` includes the client itself."""

    room: str
    call: LiveCallView
    participant: ParticipantView
    participants: list[ParticipantView]
    ice_servers: list[IceServer]
    limits: RoomLimits
    audio: AudioWishes


@with_config(_CLOSED)
class Answer(TypedDict):
    """The answer to an offer."""

    sdp: str


@with_config(_CLOSED)
class OneParticipant(TypedDict):
    """A participant has joined, or has changed."""

    participant: ParticipantView


@with_config(_CLOSED)
class ParticipantLeft(TypedDict):
    """A participant has left; `participant` is the id."""

    participant: str
    reason: LeaveReason


@with_config(_CLOSED)
class Participants(TypedDict):
    """All participants in the room."""

    participants: list[ParticipantView]


@with_config(_CLOSED)
class Slot(TypedDict):
    """The participant heard through the m-line `mid`; null for an empty slot."""

    mid: str
    participant: str | None
    gain: float


@with_config(_CLOSED)
class Slots(TypedDict):
    """All slots of this client."""

    slots: list[Slot]


@with_config(_CLOSED)
class SpeakerLevel(TypedDict):
    """A speaking participant; `level` is linear, 0 to 1, as the W3C's audioLevel."""

    participant: str
    level: float


@with_config(_CLOSED)
class Speakers(TypedDict):
    """The participants who speak now, loudest first."""

    speakers: list[SpeakerLevel]


@with_config(_CLOSED)
class Media(TypedDict):
    """Whether the client's audio arrives at the server."""

    arriving: bool


Message = TypedDict(
    "Message",
    {"id": NotRequired[str], "from": str, "to": str | None, "topic": str, "body": str, "sent_at": str},
)
RelayedSignal = TypedDict("RelayedSignal", {"from": str})
PressedKey = TypedDict("PressedKey", {"from": str, "tone": str, "duration_ms": int})
Message.__pydantic_config__ = _CLOSED  # type: ignore[attr-defined]
PressedKey.__pydantic_config__ = _CLOSED  # type: ignore[attr-defined]
RelayedSignal.__pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[attr-defined]


@with_config(_CLOSED)
class Moderated(TypedDict):
    """A moderator's action on this client. `by` is a participant id; null for the server and for hidden moderators.

    `until` (RFC 3339) is the time at which it ends by itself, if it does.
    """

    action: Literal["mute", "unmute", "deafen", "undeafen", "give_floor", "take_floor", "move", "kick", "ban"]
    by: str | None
    reason: str | None
    until: NotRequired[str]


@with_config(_CLOSED)
class Moved(TypedDict):
    """This client is in another room now. As `joined`, with the same peer connection."""

    room: str
    call: LiveCallView
    participant: ParticipantView
    participants: list[ParticipantView]


@with_config(_CLOSED)
class CallStateChanged(TypedDict):
    """The call ends for all participants in the room."""

    call: LiveCallView


@with_config(_CLOSED)
class FreshToken(TypedDict):
    """A token that replaces the one that is about to expire."""

    token: str


@with_config(_CLOSED)
class EndpointGone(TypedDict):
    """The server has ended the peer connection; open a new one."""

    reason: str


@with_config(_CLOSED)
class Nothing(TypedDict):
    """No fields."""


@with_config(_CLOSED)
class Reconnect(TypedDict):
    """The connection is about to close; `action` says what to do next."""

    action: Literal["resume", "reconnect", "disconnect"]
    reason: str


@with_config(_CLOSED)
class Pong(TypedDict):
    """The answer to `ping`; `seq_ack` repeats the client's, null if it sent none."""

    seq_ack: int | None


@with_config(_CLOSED)
class Problem(TypedDict):
    """A refusal. `code` is stable; `message` is for people."""

    code: str
    message: str
    details: NotRequired[dict[str, Any]]


SERVER_MESSAGES: dict[str, Any] = {
    "welcome": Welcome,
    "joined": Joined,
    "answer": Answer,
    "participant-joined": OneParticipant,
    "participant-updated": OneParticipant,
    "participant-left": ParticipantLeft,
    "participants": Participants,
    "slots": Slots,
    "speakers": Speakers,
    "media": Media,
    "message": Message,
    "signal": RelayedSignal,
    "dtmf": PressedKey,
    "moderated": Moderated,
    "moved": Moved,
    "call-state-changed": CallStateChanged,
    "token": FreshToken,
    "endpoint-gone": EndpointGone,
    "resume-lost": Nothing,
    "reconnect": Reconnect,
    "ok": Nothing,
    "pong": Pong,
    "error": Problem,
}
"""Every type the server sends."""

VOLATILE = frozenset({"welcome", "resume-lost", "reconnect", "speakers", "pong"})
"""Types that are numbered but not kept for `resume`: of use only on the connection that they were sent on."""


class Outgoing:
    """A message before it is numbered for a session. Any number of sessions can send it; `body` is serialised once.

    `payload` is what the body was made from. A session stores the body only, so a message that `resume` sends again has
    an empty one.
    """

    __slots__ = ("body", "payload", "type", "volatile")

    def __init__(self, kind: str, payload: Mapping[str, Any], body: bytes | None = None) -> None:
        self.type = kind
        self.payload = payload
        # Copied, because orjson leaves its buffer of kilobytes behind the text, and sessions store bodies.
        self.body = bytes(memoryview(orjson.dumps(payload))) if body is None else body
        self.volatile = kind in VOLATILE

    def without_payload(self) -> "Outgoing":
        """The same message for storage: the body alone."""
        return Outgoing(self.type, _EMPTY, self.body)


_EMPTY: Mapping[str, Any] = {}


OK = Outgoing("ok", {})
"""The answer to a request that has no other."""


def frame(message: Outgoing, seq: int, request_id: RequestId) -> bytes:
    """The envelope of one session around a message; `request_id` is left out where it is None."""
    if request_id is None:
        return b'{"type":"%b","seq":%d,"payload":%b}' % (message.type.encode(), seq, message.body)
    return b'{"type":"%b","id":%b,"seq":%d,"payload":%b}' % (
        message.type.encode(),
        orjson.dumps(request_id),
        seq,
        message.body,
    )
