"""The far end of an endpoint, without sockets: it makes signed connectivity checks on a schedule, and answers nothing.

An engine of four verbs for `tests.support.wire`. Addresses are the `Source` tuples of the SFU.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from aioice import stun as codec

from sfu.offer import IceParameters

SERVER = "server"
"""The name of the SFU's end on the wire."""


@dataclass(frozen=True)
class Datagram:
    """For the wire."""

    data: bytes
    to: Any


def signed_check(
    local: IceParameters, remote: IceParameters, transaction_id: bytes, *, nominate: bool, role: str = "ICE-CONTROLLING"
) -> bytes:
    """A check (RFC 8445 section 7.2.2), as its sender `local` makes it for `remote`."""
    message = codec.Message(
        message_method=codec.Method.BINDING,
        message_class=codec.Class.REQUEST,
        transaction_id=transaction_id,
        attributes={"USERNAME": f"{remote.ufrag}:{local.ufrag}", "PRIORITY": 1, role: 1},
    )
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(remote.pwd.encode())
    return bytes(message)


class CheckClient:
    """Checks every `interval` seconds; the first check nominates, and each one does if `nominate_always`.

    `answered` has the time of every authentic answer. What is neither STUN is kept in `others`.
    """

    def __init__(
        self,
        local: IceParameters,
        remote: IceParameters,
        *,
        seed: int = 1,
        interval: float = 2.5,
        nominate_always: bool = True,
    ) -> None:
        self.local, self.remote = local, remote
        self.interval = interval
        self.nominate_always = nominate_always
        self.answered: list[float] = []
        self.others: list[bytes] = []
        self.check_at = 0.0
        self._random = Random(seed)
        self._asked: dict[bytes, IceParameters] = {}
        self._out: list[Datagram] = []

    def receive(self, datagram: bytes, source: Any, now: float) -> None:
        """Take an answer to a check; keep what is something else."""
        if datagram[0] > 3:
            self.others.append(datagram)
            return
        message = codec.parse_message(datagram)
        asked = self._asked[message.transaction_id]
        assert message.check_message_integrity(asked.pwd.encode())
        assert message.message_class == codec.Class.RESPONSE
        self.answered.append(now)

    def advance(self, now: float) -> None:
        """Make the check that is due."""
        if now >= self.check_at:
            self.check_at = now + self.interval
            transaction_id = self._random.randbytes(12)
            nominate = self.nominate_always or not self._asked
            self._asked[transaction_id] = self.remote
            self.send(signed_check(self.local, self.remote, transaction_id, nominate=nominate))

    def restart(self, local: IceParameters, remote: IceParameters, now: float) -> None:
        """Use new credentials, and check at once (RFC 8445 section 9)."""
        self.local, self.remote = local, remote
        self.check_at = now

    def stop(self) -> None:
        """Check no more."""
        self.check_at = math.inf

    def deadline(self) -> float | None:
        """When the next check is due."""
        return self.check_at

    def send(self, data: bytes) -> None:
        """Put a datagram on the wire to the server."""
        self._out.append(Datagram(data, SERVER))

    def drain(self) -> Iterator[Datagram]:
        """What is to be sent."""
        while self._out:
            yield self._out.pop(0)
