"""A session, its carrier, and its recent messages for `resume`. Pure."""

import secrets
from collections import deque
from typing import TYPE_CHECKING, Protocol

from signaling.errors import ClientMistake
from signaling.ids import RandomBytes, new_secret
from signaling.limits import FloodGuard
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.states import step_session

if TYPE_CHECKING:
    from signaling.identity.claims import Claims


MOST_MESSAGES = 256
MOST_BYTES = 1 << 20


class Replay:
    """The last 256 messages of a session, or 1 MiB of payload. Volatile messages are never stored.

    The sessions that got the same broadcast share its payload.
    """

    __slots__ = ("_bytes", "_kept", "_lost")

    def __init__(self) -> None:
        self._kept: deque[tuple[int, str, bytes, RequestId]] | None = None
        self._bytes = 0
        self._lost = 0

    def __len__(self) -> int:
        return len(self._kept) if self._kept else 0

    def keep(self, seq: int, message: Outgoing, request_id: RequestId) -> None:
        """Store a message sent as `seq`. At the bounds the oldest are dropped."""
        if self._kept is None:
            self._kept = deque()
        self._kept.append((seq, message.type, message.body, request_id))
        self._bytes += len(message.body)
        while len(self._kept) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self._lost = self._kept[0][0]
            self._drop_first()

    def acknowledge(self, seq: int) -> None:
        """Drop messages up to `seq`, which the client has received."""
        while self._kept and self._kept[0][0] <= seq:
            self._drop_first()

    def after(self, seq: int) -> list[tuple[int, Outgoing, RequestId]] | None:
        """Return the numbered messages after `seq` in order, or None if some were dropped. Changes nothing."""
        if seq < self._lost:
            return None
        return [(kept[0], Outgoing(kept[1], {}, kept[2]), kept[3]) for kept in self._kept or () if kept[0] > seq]

    def take_after(self, seq: int) -> list[tuple[Outgoing, RequestId]] | None:
        """Remove all messages and return those after `seq` in order, or None if some were dropped."""
        self.acknowledge(seq)
        missed = [(Outgoing(kind, {}, body), request_id) for _, kind, body, request_id in self._kept or ()]
        complete = seq >= self._lost
        self._kept = None
        self._bytes = 0
        self._lost = 0
        return missed if complete else None

    def _drop_first(self) -> None:
        assert self._kept
        self._bytes -= len(self._kept.popleft()[2])


class Carrier(Protocol):
    """The transport of one session. No method waits or calls back into the conversation before it returns.

    Only the conversation changes `session`. It sets it to None when another carrier takes over; later messages on this
    one are ignored. `address` is the client's IP address, `user_agent` its cleaned User-Agent, empty if it sent none.
    """

    session: "Session | None"
    address: str
    user_agent: str

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        """Queue one message. A carrier whose queue is full drops the message and closes itself."""

    def close(self, code: str) -> None:
        """Send what is queued, then close for the reason `code`, a key of `ERRORS`. Later calls do nothing."""


AUTH_SECONDS = 5.0
SEAT_SECONDS = 60.0


class Session:
    """States, numbering, secret and time limits of one session.

    `claims` are those of the verified token, None before. `standing` is the same with the role in the room, None
    outside a room. `home` are the original claims of a moved session. `participant_id` is set while in a room.
    `refresh_at` is when a fresh token is due; `replay` has the recent messages. Times are monotonic seconds.
    """

    __slots__ = (
        "_former_secret",
        "_media_gone_at",
        "_media_up",
        "_random",
        "_since",
        "auth_seconds",
        "carrier",
        "claims",
        "guard",
        "home",
        "id",
        "participant_id",
        "refresh_at",
        "replay",
        "seat_seconds",
        "secret",
        "seq",
        "slots",
        "standing",
        "state",
    )

    def __init__(self, carrier: Carrier, now: float, guard: FloodGuard, random: RandomBytes) -> None:
        self.id = new_secret(random)
        self.secret = new_secret(random)
        self.state = "opened"
        self.claims: Claims | None = None
        self.standing: Claims | None = None
        self.home: Claims | None = None
        self.participant_id: str | None = None
        self.refresh_at: float | None = None
        self.slots: Outgoing | None = None
        self.guard = guard
        self.auth_seconds = AUTH_SECONDS
        self.seat_seconds = SEAT_SECONDS
        self.carrier: Carrier | None = carrier
        self._since = now
        self._random = random
        self._former_secret: str | None = None
        self.replay = Replay()
        self.seq = 0
        self._media_up = False
        self._media_gone_at = now

    def step(self, event: str) -> None:
        """Apply an event of the state table. Raises ClientMistake (`unexpected_message`) without a change."""
        self.state = step_session(self.state, event)

    def check(self, event: str) -> str:
        """Return the state after `event`, without a change. Raises as `step`."""
        return step_session(self.state, event)

    def send(self, message: Outgoing, request_id: RequestId = None) -> None:
        """Number a message, store it for `resume` unless volatile, and pass it to the carrier, if any."""
        self.seq = seq = self.seq + 1
        if not message.volatile:
            self.replay.keep(seq, message, request_id)
        if self.carrier is not None:
            self.carrier.deliver(message, seq, request_id)

    def heard(self, seq_ack: int | None = None) -> None:
        """Note a client message: the client has the newest secret, and all messages up to `seq_ack`.

        Raises ClientMistake (`bad_message`) for a number that was never sent.
        """
        self._former_secret = None
        if seq_ack is not None:
            if seq_ack > self.seq:
                raise ClientMistake("bad_message", "seq_ack is beyond the last message sent")
            self.replay.acknowledge(seq_ack)

    def accepts(self, secret: str) -> bool:
        """Whether this is the secret, compared in constant time.

        The previous secret stays valid until the next client message, as the `welcome` with the new one may be lost
        with its connection.
        """
        offered = secret.encode()
        good = secrets.compare_digest(offered, self.secret.encode())
        former = secrets.compare_digest(offered, (self._former_secret or self.secret).encode())
        return good or former

    def lose(self, now: float) -> None:
        """Note that the carrier has ended."""
        self.step("lost")
        self.carrier = None
        self._since = now

    def take_over(self, carrier: Carrier, *, secret_stays: bool = False) -> Carrier | None:
        """Resume on another carrier: make a new secret, and return the old carrier for the caller to close.

        `secret_stays` keeps the secret if no third party can have seen it, as for the next request of one client.
        """
        self.step("taken")
        older, self.carrier = self.carrier, carrier
        if not secret_stays:
            self._former_secret, self.secret = self.secret, new_secret(self._random)
        return older

    def take_missed(self, seq_ack: int) -> list[tuple[Outgoing, RequestId]] | None:
        """Remove and return the messages after `seq_ack`, to be sent with new numbers; None if some were dropped.

        Sending stores them again.
        """
        missed = self.replay.take_after(seq_ack)
        return None if seq_ack > self.seq else missed

    def end(self, event: str) -> Carrier | None:
        """End the session (`expired`, `removed`, `replaced`) and return its carrier."""
        self.step(event)
        carrier, self.carrier = self.carrier, None
        self.participant_id = None
        return carrier

    def media(self, up: bool, now: float) -> None:
        """Note that the peer connection is up or down: a sign of life on the media path."""
        if self._media_up and not up:
            self._media_gone_at = now
        self._media_up = up

    def deadline(self) -> float | None:
        """Return when this session expires, or None without a limit.

        5 s to authenticate; 60 s for a session without a carrier, from the last sign of life on either path.
        """
        if self.state == "opened":
            return self._since + self.auth_seconds
        if self.state == "away" and not self._media_up:
            return max(self._since, self._media_gone_at) + self.seat_seconds
        return None
