"""Messages from clients: one strict model for each type. Pure; only ClientMistake leaves `parse_client_message`.

The models are also what the JSON Schema and the manual are drawn from.
"""

from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator

from signaling.errors import ClientMistake
from signaling.identity.names import LONGEST_IDENTITY
from signaling.models import Model
from signaling.protocol.envelope import LARGEST_INTEGER, RequestId, read_envelope

NO_NUL = r"^[^\x00]*$"
"""Texts that are kept: PostgreSQL takes no text with NUL in it, and what cannot be kept must not be done."""
ParticipantId = Annotated[str, Field(min_length=1, max_length=64)]
Token = Annotated[str, Field(min_length=1, max_length=8192)]
Seq = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Reason = Annotated[str, Field(max_length=256, pattern=NO_NUL)]
RoomId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", max_length=64)]

LONGEST_DURATION = 366 * 86_400
"""Seconds; what is to last longer has no duration."""

ModerateAction = Literal[
    "mute", "unmute", "deafen", "undeafen", "give_floor", "take_floor", "move", "kick", "ban", "unban"
]

LASTING = frozenset({"mute", "deafen", "give_floor", "take_floor", "ban"})
"""Acts that may end by themselves."""


class ClientPayload(Model):
    """What all payloads share: exact types, no unknown fields, no change once read."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)
    type: ClassVar[str]


class Empty(ClientPayload):
    """No fields."""


class Auth(ClientPayload):
    """Authenticate, if the token did not come in the subprotocol."""

    type = "auth"
    token: Token


class Join(ClientPayload):
    """Join a room. The name is used if the token has none; capabilities are reserved for later versions."""

    type = "join"
    room: RoomId
    display_name: Annotated[str, Field(max_length=512)] = ""
    capabilities: Annotated[dict[str, JsonValue], Field(max_length=32)] = Field(default_factory=dict)
    password: Annotated[str, Field(max_length=1024)] | None = None
    invite: Annotated[str, Field(max_length=256)] | None = None


class Offer(ClientPayload):
    """A first offer, a changed one, or an ICE restart."""

    type = "offer"
    sdp: Annotated[str, Field(min_length=1, max_length=65_536)]


class IceCandidate(ClientPayload):
    """A candidate of the client, kept for diagnosis. An empty one means that there are no more (RFC 8838)."""

    type = "ice-candidate"
    candidate: Annotated[str, Field(max_length=1024)]
    sdpMid: Annotated[str, Field(max_length=64)] | None = None  # noqa: N815 - the W3C's spelling
    sdpMLineIndex: Annotated[int, Field(ge=0, le=255)] | None = None  # noqa: N815 - the W3C's spelling
    usernameFragment: Annotated[str, Field(max_length=256)] | None = None  # noqa: N815 - the W3C's spelling


class Leave(Empty):
    """Leave the room; the connection stays."""

    type = "leave"


class Mute(Empty):
    """Mute yourself."""

    type = "mute"


class Unmute(Empty):
    """Lift your own mute, never a moderator's."""

    type = "unmute"


class Deafen(Empty):
    """Deafen yourself: receive no audio."""

    type = "deafen"


class Undeafen(Empty):
    """Lift your own deafen, never a moderator's."""

    type = "undeafen"


class Hold(Empty):
    """Stop speaking and hearing for a while; mute flags stay as they are."""

    type = "hold"


class Unhold(Empty):
    """Undo `hold`."""

    type = "unhold"


class Dtmf(ClientPayload):
    """DTMF tones, sent one after the other; a comma waits two seconds. Milliseconds of each tone, and between two."""

    type = "dtmf"
    tones: Annotated[str, Field(pattern=r"^[0-9*#A-Da-d,]+$", min_length=1, max_length=32)]
    duration_ms: Annotated[int, Field(ge=40, le=6000)] = 100
    gap_ms: Annotated[int, Field(ge=30, le=6000)] = 70


class ListParticipants(Empty):
    """Ask for the participants in the room."""

    type = "participants"


class SendMessage(ClientPayload):
    """Chat or application data, to one participant or to the room."""

    type = "message"
    to: ParticipantId | None = None
    topic: Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
    body: Annotated[str, Field(max_length=16_384, pattern=NO_NUL)]


class Signal(ClientPayload):
    """Relayed unchanged to one participant; all other fields are free for the clients' use."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, hide_input_in_errors=True)
    type = "signal"
    to: ParticipantId


class Moderate(ClientPayload):
    """A moderation action. `target` is a participant id, for `unban` an identity. `duration` is seconds.

    `room` is the new room of a `move`.
    """

    type = "moderate"
    action: ModerateAction
    target: Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTITY, pattern=NO_NUL)]
    duration: Annotated[int, Field(ge=1, le=LONGEST_DURATION)] | None = None
    reason: Reason | None = None
    room: RoomId | None = None

    @model_validator(mode="after")
    def _only_what_lasts_has_a_duration(self) -> Self:
        if self.duration is not None and self.action not in LASTING:
            raise ValueError(f"only {', '.join(sorted(LASTING))} have a duration")
        return self

    @model_validator(mode="after")
    def _only_a_move_goes_somewhere(self) -> Self:
        if (self.room is None) == (self.action == "move"):
            raise ValueError("move needs a room, and other actions must not name one")
        return self


class Ping(ClientPayload):
    """A keepalive. `seq_ack` is the highest seq read so far; the server may discard the messages up to it."""

    type = "ping"
    seq_ack: Seq | None = None


class Resume(ClientPayload):
    """Continue a session on a new connection."""

    type = "resume"
    session: Annotated[str, Field(min_length=1, max_length=64)]
    secret: Annotated[str, Field(min_length=1, max_length=64)]
    seq_ack: Seq


CLIENT_MESSAGES: dict[str, type[ClientPayload]] = {
    model.type: model
    for model in (
        Auth,
        Join,
        Offer,
        IceCandidate,
        Leave,
        Mute,
        Unmute,
        Deafen,
        Undeafen,
        Hold,
        Unhold,
        Dtmf,
        ListParticipants,
        SendMessage,
        Signal,
        Moderate,
        Ping,
        Resume,
    )
}
"""Every type a client may send."""


class Request(NamedTuple):
    """One message of a client, checked. `found` is what was looked up for it, None where nothing was."""

    type: str
    id: RequestId
    payload: ClientPayload
    found: object = None


class BadRequest(ClientMistake):
    """A message whose envelope could be read, so that the answer can name its id."""

    def __init__(
        self, request_id: RequestId, code: str, message: str, details: dict[str, object] | None = None
    ) -> None:
        super().__init__(code, message, details)
        self.request_id = request_id


def parse_client_message(text: str | bytes) -> Request:
    """One WebSocket text message as a checked request.

    Raises ClientMistake: `too_large`, `bad_message`, `unknown_type`; as BadRequest once the id is known.
    """
    kind, request_id, payload = read_envelope(text)
    model = CLIENT_MESSAGES.get(kind)
    if model is None:
        raise BadRequest(request_id, "unknown_type", "there is no message of this type")
    try:
        return Request(kind, request_id, model.__pydantic_validator__.validate_python(payload))
    except ValidationError as error:
        message, details = _first_problem(error)
        raise BadRequest(request_id, "bad_message", message, details) from None


def _first_problem(error: ValidationError) -> tuple[str, dict[str, object]]:
    """The first thing that is wrong, by field; never the value, which may be a secret."""
    problem: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in problem["loc"])[:128]
    return f"{field}: {problem['msg']}"[:256], {"field": field}
