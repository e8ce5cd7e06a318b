"""Limits and times of signaling, frozen. Pure; the settings of the server are read elsewhere."""

from dataclasses import dataclass

from signaling.call.rooms import DuplicatePolicy
from signaling.protocol.envelope import MOST_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettings:
    """What a gateway needs to know. Times are seconds, sizes bytes.

    `slots` and `ice_servers` are told to clients in `joined`. `auto_create_rooms` lets tokens enter rooms that nobody
    keeps. New joins are refused when the event loop is later than `overload_lag_seconds`, until it is no later than
    half of that. `close_grace_seconds` is how long a closing connection may take before it is cut.
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
