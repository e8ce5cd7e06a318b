"""Grants of a token: LiveKit's names under the claim `video`, and the role. Pure."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from signaling.models import Model

Role = Literal["member", "moderator", "owner", "operator"]
"""Roles, lowest first. An operator runs the server; in a room it counts as an owner."""

RANK: dict[str, int] = {"member": 0, "moderator": 1, "owner": 2, "operator": 3}

Standing = Literal["member", "moderator", "owner", "service", "operator"]
"""The standing of an actor, lowest first: a role, or a service."""

STANDING: dict[str, int] = {"member": 0, "moderator": 1, "owner": 2, "service": 3, "operator": 4}


class Grants(Model):
    """The claim `video`. Unknown grants are ignored. Known ones have exact types."""

    model_config = ConfigDict(
        strict=True,
        extra="ignore",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    room: str | None = None
    room_join: bool = False
    room_create: bool = False
    room_list: bool = False
    room_admin: bool = False
    room_record: bool = False
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    hidden: bool = False

    @model_validator(mode="before")
    @classmethod
    def _voice_is_the_microphone(cls, data: Any) -> Any:
        """A non-empty `canPublishSources` names all sources that may be published. Parley has the microphone only."""
        sources = data.get("canPublishSources") if isinstance(data, dict) else None
        if sources is not None and not isinstance(sources, list):
            raise ValueError("canPublishSources must be a list")
        return {**data, "canPublish": False} if sources and "microphone" not in sources else data

    @classmethod
    def for_room(cls, room: str, *, admin: bool = False) -> Self:
        """Return grants to enter one room, speak and listen; with `admin` also to moderate it."""
        return cls(room=room, room_join=True, room_admin=admin)

    def as_claim(self) -> dict[str, object]:
        """Return the claim for a token: only values that differ from the defaults."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


def role_of(named: Role | None, grants: Grants) -> Role:
    """Return the role of a token: the named one or that of its grants, whichever is higher."""
    granted: Role = "moderator" if grants.room_admin else "member"
    return granted if named is None or RANK[named] < RANK[granted] else named
