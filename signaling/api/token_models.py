"""Request and response models of tokens. Pure; who may give what is in `identity.issuing`."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import ConfigDict, Field, field_validator

from signaling.errors import ClientMistake
from signaling.identity.claims import LIFETIME, LONGEST_METADATA
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.issuing import LONGEST, TokenOrder
from signaling.identity.names import ROOM_ID, check_identity, clean_name
from signaling.models import Model


class GrantOrder(Model):
    """Grants in addition to the room, under LiveKit's names."""

    model_config = ConfigDict(strict=True)

    roomCreate: bool = False  # noqa: N815 - LiveKit's spelling
    roomList: bool = False  # noqa: N815
    roomRecord: bool = False  # noqa: N815
    canPublish: bool = True  # noqa: N815
    canSubscribe: bool = True  # noqa: N815
    canPublishData: bool = True  # noqa: N815
    hidden: bool = False


class ShortTokenRequest(Model):
    """A token of ten minutes for one person and one room."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    identity: str = Field(description="The identity: 1 to 128 characters, stable, chosen by you.")
    name: str = Field("", max_length=512, description="The name shown to other participants.")
    room: str | None = Field(None, description="The room that the token gives access to. Default: none.")
    role: Role = "member"
    invited: bool = Field(False, description="Whether the token also opens a private room, or a room with a password.")
    grants: GrantOrder = Field(default_factory=GrantOrder)

    @field_validator("identity")
    @classmethod
    def _possible(cls, value: str) -> str:
        try:
            return check_identity(value)
        except ClientMistake as mistake:
            raise ValueError(mistake.message) from None

    @field_validator("room")
    @classmethod
    def _room_id(cls, value: str | None) -> str | None:
        if value is not None and not ROOM_ID.match(value):
            raise ValueError("1 to 64 of A-Z a-z 0-9 _ -")
        return value

    def order(self) -> TokenOrder:
        """The order of the token."""
        return TokenOrder(
            identity=self.identity,
            grants=self._granted(),
            lifetime=LIFETIME,
            name=clean_name(self.name) or None,
            role=self.role,
            invited=self.invited,
        )

    def _granted(self) -> Grants:
        moderates = self.room is not None and RANK[self.role] >= RANK["moderator"]
        named = {"room": self.room, "roomJoin": self.room is not None, "roomAdmin": moderates}
        return Grants.model_validate(named | self.grants.model_dump())


class KeyExchange(ShortTokenRequest):
    """An API key, here or in the header, to exchange for a token of ten minutes."""

    api_key: str | None = Field(None, max_length=128, description="The API key, instead of the header Authorization.")


class TokenRequest(ShortTokenRequest):
    """A request for a token."""

    ttl: int = Field(
        int(LIFETIME.total_seconds()),
        ge=1,
        le=int(LONGEST.total_seconds()),
        description="Seconds for which the token can be used to join. An open session refreshes its own token.",
    )
    metadata: str | None = Field(None, max_length=LONGEST_METADATA, description="Text that the token carries.")

    def order(self) -> TokenOrder:
        """The order of the token."""
        short = super().order()
        return TokenOrder(
            identity=short.identity,
            grants=short.grants,
            lifetime=timedelta(seconds=self.ttl),
            name=short.name,
            role=short.role,
            invited=short.invited,
            metadata=self.metadata,
        )


class IssuedToken(Model):
    """A token, shown only once."""

    token: str
    token_type: str = Field("Bearer", description="Always Bearer.")
    expires_in: int = Field(description="Seconds.")
    expires_at: datetime
    identity: str
    room: str | None
    role: Role

    @classmethod
    def of(cls, token: str, order: TokenOrder, utc: datetime) -> Self:
        """The view of a token issued at `utc`."""
        return cls(
            token=token,
            token_type="Bearer",  # noqa: S106 - RFC 6750's word
            expires_in=int(order.lifetime.total_seconds()),
            expires_at=utc + order.lifetime,
            identity=order.identity,
            room=order.grants.room,
            role=order.role,
        )
