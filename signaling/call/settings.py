"""The limits and times of signaling, frozen. Pure; `settings.parts` fills them from the server's settings."""

from dataclasses import dataclass

from signaling.call.rooms import DuplicatePolicy
from signaling.protocol.envelope import MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """Limits and times of signaling. Times are seconds, sizes bytes.

    `joined` carries `slots` and `ice_servers`. `auto_create_rooms` lets tokens enter rooms that are not stored. Joins
    are shed while the lag of the event loop is above `overload_lag_seconds`, until it is half of that. A closing
    connection is cut after `close_grace_seconds`.
    """

    slots: int = 8
    max_participants: int = 200
    duplicate_identity: DuplicatePolicy = "kick_old"
    auto_create_rooms: bool = True
    ice_servers: tuple[dict[str, object], ...] = ()
    auth_seconds: float = 5.0
    seat_seconds: float = 60.0
    message_bytes: int = MOST_BYTES
    messages_per_second: float = 50.0
    message_burst: int = 100
    sockets_per_identity: int = 5
    joins_per_minute: int = 10
    failed_auths_per_minute: int = 10
    heartbeat_seconds: float = 15.0
    close_grace_seconds: float = 5.0
    queue_messages: int = 256
    queue_bytes: int = 1 << 20
    overload_lag_seconds: float = 0.1
