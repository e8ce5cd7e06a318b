"""Ports that are free now. Somebody may take one before it is used: ask late, and bind at once."""

import socket


def free_tcp_port() -> int:
    """A TCP port that is free on every local address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def free_udp_port() -> int:
    """A UDP port that is free on every local address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
