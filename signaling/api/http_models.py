"""Bodies of signaling over plain HTTP, for the OpenAPI document. Pure.

What they may hold is decided by the protocol's own models, which read every message: see `protocol.http_messages`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES, Joined, Welcome


class JoinBody(BaseModel):
    """The payload of `join`; the room stands in the path."""

    model_config = ConfigDict(extra="forbid")
    display_name: str = Field("", max_length=512)
    capabilities: dict[str, JsonValue] = Field(default_factory=dict, max_length=32)
    password: str | None = Field(None, max_length=1024)
    invite: str | None = Field(None, max_length=256)


class JoinAnswer(BaseModel):
    """A session with its secret, and the payloads of `welcome` and `joined`."""

    model_config = ConfigDict(extra="forbid")
    session: str
    secret: str
    seq: int = Field(description="The number of the last message that is in here: a Last-Event-ID.")
    welcome: Welcome
    joined: Joined


class MessageBody(BaseModel):
    """A message of the protocol; the payloads are in signaling/schema/parley.v1.json."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(json_schema_extra={"enum": list(CLIENT_MESSAGES)})
    id: str | int | None = Field(None, description="The answer repeats it; 0 where there is none.")
    payload: dict[str, Any] = Field(default_factory=dict)


class MessageAnswer(BaseModel):
    """A message of the server, as on the WebSocket."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(json_schema_extra={"enum": list(SERVER_MESSAGES)})
    id: str | int
    seq: int
    payload: dict[str, Any]
