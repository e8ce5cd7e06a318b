"""Request and response models of invites. Pure; who may give what is in `identity.issuing`."""

from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator

from signaling.api.token_models import IssuedToken
from signaling.errors import ClientMistake
from signaling.identity.issuing import TokenOrder, link_to
from signaling.identity.names import LONGEST_IDENTITY, check_identity
from signaling.models import Model
from signaling.storage.invites import LIFETIME, MOST_USES, Invite, InviteOrder
from signaling.storage.words import RoomRole

LONGEST = 30 * 86_400
State = Literal["open", "used_up", "expired", "rejected", "revoked"]


class InviteRequest(Model):
    """A request for an invite."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    role: RoomRole = "member"
    invitee: str | None = Field(
        None,
        max_length=LONGEST_IDENTITY,
        description="The only identity that can use the invite. Default: anybody with the link.",
    )
    max_uses: int = Field(1, ge=1, le=MOST_USES, description="Maximum number of uses.")
    expires_in: int = Field(
        int(LIFETIME.total_seconds()), ge=1, le=LONGEST, description="Seconds until the invite expires."
    )

    @field_validator("invitee")
    @classmethod
    def _possible(cls, value: str | None) -> str | None:
        try:
            return None if value is None else check_identity(value)
        except ClientMistake as mistake:
            raise ValueError(mistake.message) from None

    def order(self, room_id: str, created_by: str) -> InviteOrder:
        """The order for storage."""
        return InviteOrder(
            room_id=room_id,
            created_by=created_by,
            role=self.role,
            invitee=self.invitee,
            max_uses=self.max_uses,
            lifetime=timedelta(seconds=self.expires_in),
        )


class InviteView(Model):
    """An invite without its token."""

    id: str
    room_id: str
    state: State = Field(description="State of the invite. A participant who used a `used_up` invite may use it again.")
    role: RoomRole
    invitee: str | None
    max_uses: int
    uses: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    rejected_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, invite: Invite, utc: datetime) -> Self:
        """The view of an invite at `utc`."""
        fields = {name: getattr(invite, name) for name in cls.model_fields if name != "state"}
        return cls(state=_state(invite, utc), **fields)

    def as_text(self) -> str:
        """One line of text."""
        whom = "anybody with the link" if self.invitee is None else self.invitee
        used, until = f"{self.uses}/{self.max_uses}", f"{self.expires_at:%Y-%m-%d %H:%M}Z"
        return f"{self.id}  {self.state}  {self.role}  {used}  until {until}  ({whom})"


class NewInvite(InviteView):
    """An invite with its token, which is shown only once."""

    token: str = Field(description="128 bits; the server stores only its hash.")
    link: str = Field(description="Opens the page and joins the room. The token is in the fragment.")

    @classmethod
    def of_new(cls, invite: Invite, token: str, page: str) -> Self:
        """The view of a new invite; `page` is the address of the page."""
        view = InviteView.of(invite, invite.created_at)
        return cls(**view.model_dump(), token=token, link=link_to(page, token))


class InvitePage(Model):
    """The invites of a room, newest first, in any state."""

    items: list[InviteView]
    next_cursor: str | None


class InviteToken(Model):
    """The token of an invite: in the body, never in a URL."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)
    token: str = Field(min_length=1, max_length=256, description="The part of the link after `#invite=`.")


class InviteAcceptance(InviteToken):
    """The acceptance of an invite."""

    name: str = Field(
        "",
        max_length=512,
        description="The name shown to other participants; a name in the bearer token takes precedence.",
    )


class InvitePreview(Model):
    """The content of an invite. A preview does not count as a use."""

    room: str
    room_name: str
    role: RoomRole
    expires_at: datetime


class AcceptedInvite(IssuedToken):
    """A token for the room and the role of the invite. It also opens a private room, or a room with a password."""

    room_name: str
    guest: bool = Field(description="Whether the server made the identity for this token.")

    @classmethod
    def of_accepted(cls, token: str, order: TokenOrder, utc: datetime, *, room_name: str, guest: bool) -> Self:
        """The view of a token issued at `utc`."""
        issued = IssuedToken.of(token, order, utc)
        return cls(**issued.model_dump(), room_name=room_name, guest=guest)


class RejectedInvite(Model):
    """The declined invite."""

    room: str
    ended: bool = Field(description="Whether the invite has ended: only if it names this invitee.")


def _state(invite: Invite, utc: datetime) -> State:
    if invite.revoked_at is not None:
        return "revoked"
    if invite.rejected_at is not None:
        return "rejected"
    if invite.expires_at <= utc:
        return "expired"
    return "used_up" if invite.uses >= invite.max_uses else "open"
