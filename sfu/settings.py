"""Settings of the media server. Frozen, and handed down; nothing here reads the environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Settings of the media server.

    `port` 0 takes a free one. `bind` and `advertise` empty mean every address of the machine, and what is bound.
    `loopback` adds 127.0.0.1 and ::1. `slots` is the most that one endpoint gets.
    """

    port: int = 7882
    bind: tuple[str, ...] = ()
    advertise: tuple[str, ...] = ()
    loopback: bool = False
    slots: int = 64
    socket_buffer: int = 4 << 20
