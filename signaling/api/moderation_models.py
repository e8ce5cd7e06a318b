"""Request and response models of moderation, bans and the audit trail. Pure."""

from datetime import datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from signaling.api.people_models import PageQuery, TimeQuery
from signaling.call.moderation import Order
from signaling.errors import ClientMistake
from signaling.identity import deny_list
from signaling.identity.names import LONGEST_IDENTITY, check_identity
from signaling.models import Model
from signaling.protocol.client_messages import LONGEST_DURATION, Moderate, ModerateAction, Reason
from signaling.storage.bans import Ban
from signaling.storage.moderation import ModerationEvent, ModerationFilter
from signaling.storage.words import ActorRole


class ModerationOrder(Model):
    """One moderation action: as the message `moderate`, but also by identity."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    action: ModerateAction
    target: str | None = Field(None, min_length=1, max_length=64, description="The id of a participant.")
    identity: str | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_IDENTITY,
        description="An identity instead of `target`; required for `unban`.",
    )
    duration: int | None = Field(
        None, ge=1, le=LONGEST_DURATION, description="Seconds until the action ends by itself, for actions that last."
    )
    reason: Reason | None = None
    room: str | None = Field(None, max_length=64, description="The new room, for `move`.")

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.target is None) == (self.identity is None):
            raise ValueError("name one participant: either target or identity")
        if self.action == "unban" and self.identity is None:
            raise ValueError("unban needs an identity")
        return self

    def checked(self) -> Order:
        """The same for `act_in_room`. Raises ClientMistake (`bad_message`) where the message `moderate` would."""
        target = self.target or self.identity or ""
        try:
            Moderate(action=self.action, target=target, duration=self.duration, reason=self.reason, room=self.room)
        except ValidationError as error:
            raise ClientMistake("bad_message", error.errors(include_url=False, include_input=False)[0]["msg"]) from None
        return Order(
            action=self.action,
            target=self.target,
            identity=self.identity,
            duration=self.duration,
            reason=self.reason,
            room=self.room,
        )


class ModerationDone(Model):
    """The completed action and its target."""

    action: ModerateAction
    identity: str


class BanOrder(Model):
    """A ban of an identity, which may be absent."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    identity: str
    duration: int | None = Field(
        None, ge=1, le=LONGEST_DURATION, description="Seconds until the ban ends. Default: never."
    )
    reason: Reason | None = None

    @field_validator("identity")
    @classmethod
    def _possible(cls, value: str) -> str:
        try:
            return check_identity(value)
        except ClientMistake as mistake:
            raise ValueError(mistake.message) from None


class BanView(Model):
    """A ban, from a room or (`room_id` null) from the whole server."""

    id: str
    room_id: str | None
    identity: str | None
    reason: str
    created_by: str
    by_role: ActorRole
    created_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None

    @classmethod
    def of(cls, ban: Ban) -> Self:
        """A ban as it is kept."""
        return cls(**{name: getattr(ban, name) for name in cls.model_fields})

    @classmethod
    def of_new(cls, ban: deny_list.Ban) -> Self:
        """A ban that was just imposed."""
        return cls(
            id=ban.id,
            room_id=ban.room,
            identity=ban.identity,
            reason=ban.reason or "",
            created_by=ban.by,
            by_role=ban.by_role,
            created_at=ban.since,
            expires_at=ban.until,
            lifted_at=None,
            lifted_by=None,
        )


class BanPage(Model):
    """Bans, newest first."""

    items: list[BanView]
    next_cursor: str | None


class BanQuery(PageQuery):
    """Which bans."""

    ended: bool = Field(False, description="Include bans that have expired or were lifted.")


class AuditQuery(TimeQuery):
    """Which acts: those that fit all that is given."""

    action: str | None = Field(None, max_length=64, description="An action, such as `participant.mute`.")
    actor: str | None = Field(None, max_length=LONGEST_IDENTITY)
    target: str | None = Field(None, max_length=LONGEST_IDENTITY)

    def wanted(self, room_id: str | None) -> ModerationFilter:
        """The filter; without a room, all of them and the server."""
        return ModerationFilter(room_id, self.target, self.actor, self.action, self.since, self.until)


class AuditView(Model):
    """One moderation action."""

    id: str
    action: str
    actor: str = Field(description="An identity, or `apikey:` and the prefix of an API key.")
    actor_role: ActorRole
    address: str | None = Field(description="The reason that the actor gave.")
    target: str
    participant_id: str | None
    room_id: str | None
    call_id: str | None
    reason: str
    created_at: datetime
    expires_at: datetime | None
    details: dict[str, Any]

    @classmethod
    def of(cls, event: ModerationEvent) -> Self:
        """The view of an act."""
        return cls(**{name: getattr(event, name) for name in cls.model_fields})


class AuditPage(Model):
    """Moderation actions, newest first."""

    items: list[AuditView]
    next_cursor: str | None
