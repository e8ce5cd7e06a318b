"""An address bound to a connection, by which the receive loop finds the connection of a packet."""

from typing import Protocol

from sfu.endpoint import Endpoint
from sfu.ice import Source
from sfu.stun import BindingRequest


class PeerOwner(Protocol):
    """The connection behind an address, as the receive loop knows it."""

    participant: str
    endpoint: Endpoint

    def pump(self) -> None:
        """Carry out what the endpoint has decided."""

    def check(self, request: BindingRequest, source: Source, now: float) -> None:
        """Take one connectivity check that names one of its username fragments."""


class Peer:
    """The packets from `source` belong to `connection`. `selected`: the connection sends to `source`, too."""

    __slots__ = ("connection", "endpoint", "selected", "source")

    def __init__(self, connection: PeerOwner, source: Source) -> None:
        """An authentic check has bound `source` to `connection`."""
        self.connection = connection
        self.endpoint = connection.endpoint
        self.source = source
        self.selected = False
