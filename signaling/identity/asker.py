"""Who asks, whatever the way in: a person with a token or a service with a key, and from where. Pure."""

from dataclasses import dataclass

from signaling.identity.claims import Claims
from signaling.identity.grants import Standing
from signaling.identity.permissions import Service

Holder = Claims | Service
"""What permissions are asked of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Whoever asks for something, with all that a trail has to say of them.

    `participant_id` is set for who acts from inside a room; who is `hidden` there is not named to others.
    """

    holder: Holder
    address: str
    participant_id: str | None = None
    hidden: bool = False

    @property
    def identity(self) -> str:
        """A person's identity, or `apikey:` and the public prefix of a service's key."""
        return self.holder.identity if isinstance(self.holder, Claims) else f"apikey:{self.holder.prefix}"

    @property
    def role(self) -> Standing:
        """The role of a token, or `service`."""
        return self.holder.role if isinstance(self.holder, Claims) else "service"

    @property
    def counted_by(self) -> str:
        """What rates are counted by; no identity of a person is that of a service."""
        return f"{'person' if isinstance(self.holder, Claims) else 'service'} {self.identity}"
