"""Errors of the SFU: one tree whose first fork says which side is wrong.

`PeerMistake`: the other side sent something that a standard or our limits forbid; answer it, and go on.
`HostProblem`: the machine or its settings do not let us work; the operator must act.
Bytes from the network never raise past their parser: only these leave it.
"""


class SfuError(Exception):
    """The root of the tree. `code` is stable and machine-readable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class PeerMistake(SfuError):
    """The peer is wrong. Answer it; the session and everybody else go on."""


class MalformedPacket(PeerMistake):
    """A datagram that is not what its first bytes say it is (STUN, RTP, RTCP)."""

    def __init__(self, message: str) -> None:
        super().__init__("malformed_packet", message)


class BadOffer(PeerMistake):
    """An SDP offer that cannot be answered."""


class UnknownParticipant(PeerMistake):
    """A participant id that no room of this server has."""

    def __init__(self, participant_id: str) -> None:
        super().__init__("no_such_participant", f"no participant {participant_id!r} here")


class SrtpFailure(PeerMistake):
    """libsrtp refused one packet; `status` is its error code. It goes no further than the endpoint's counts."""

    REPLAYED = (9, 10)
    """libsrtp's `replay_fail` and `replay_old`."""

    def __init__(self, status: int) -> None:
        super().__init__("srtp_refused", f"libsrtp status {status}")
        self.status = status

    @property
    def replayed(self) -> bool:
        """Whether the packet was refused because it, or a later one, had been taken already."""
        return self.status in self.REPLAYED


class HostProblem(SfuError):
    """The machine is wrong. Say what happened, why, and what to do next."""


class PortUnavailable(HostProblem):
    """The media port could not be bound on any address."""


class DtlsUnavailable(HostProblem):
    """aiortc cannot be imported, so no handshake can begin."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            "dtls_unavailable",
            f"aiortc cannot be imported ({type(cause).__name__}: {cause}), so no call can connect; "
            "install this server again with the dependencies that its pyproject.toml names, then restart it",
        )
