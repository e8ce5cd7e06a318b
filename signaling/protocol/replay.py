"""What a session has sent lately, kept for `resume`. Pure."""

from collections import deque

from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing

MOST_MESSAGES = 256
MOST_BYTES = 1 << 20


class Replay:
    """The last 256 messages of a session, or 1 MiB of payload; volatile ones are never put in.

    Payloads are shared with everybody who got the same broadcast.
    """

    __slots__ = ("_bytes", "_kept", "_lost")

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Outgoing, RequestId]] | None = None
        self._bytes = 0
        self._lost = 0

    def __len__(self) -> int:
        return len(self._kept) if self._kept else 0

    def keep(self, seq: int, message: Outgoing, request_id: RequestId) -> None:
        """Keep a message that has been sent under `seq`; the oldest fall out at the bounds."""
        if self._kept is None:
            self._kept = deque()
        self._kept.append((seq, message, request_id))
        self._bytes += len(message.body)
        while len(self._kept) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._lost = self._kept[0][0]
            self._drop_first()

    def acknowledge(self, seq: int) -> None:
        """Let go of everything up to `seq`: the client has it."""
        while self._kept and self._kept[0][0] <= seq:
            self._drop_first()

    def after(self, seq: int) -> list[tuple[int, Outgoing, RequestId]] | None:
        """Everything after `seq` in order, numbered; None where some of it is no longer kept. Changes nothing."""
        return None if seq < self._lost else [one for one in self._kept or () if one[0] > seq]

    def take_after(self, seq: int) -> list[tuple[Outgoing, RequestId]] | None:
        """Everything after `seq` in order, and nothing is left behind; None where some of it is no longer kept."""
        self.acknowledge(seq)
        missed = [(message, request_id) for _, message, request_id in self._kept or ()]
        complete = seq >= self._lost
        self._kept = None
        self._bytes = 0
        self._lost = 0
        return missed if complete else None

    def _drop_first(self) -> None:
        assert self._kept
        self._bytes -= len(self._kept.popleft()[1].body)
