"""STUN messages of an ICE-lite server (RFC 8489, RFC 8445 section 7.3) on aioice's codec, wrapped once.

`parse_request` is cheap: it finds out for whom a check is; `BindingRequest.authentic` then costs one HMAC. Only
`MalformedPacket` leaves this module. A request that is not authentic is not answered at all, though RFC 8489 section
9.1.3 has 400 and 401 for it: an answer would tell a stranger who is here and would be traffic that he steers.
Unknown attributes are skipped, also those that RFC 8489 section 6.3.1 would have refused with 420.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

from aioice import stun as codec

from sfu.errors import MalformedPacket

HEADER_BYTES: Final = 20
MAX_BYTES: Final = 1500
REASONS: Final = {400: "Bad Request", 401: "Unauthenticated", 487: "Role Conflict"}

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as `recvfrom` gives it. Only host and port are used here."""


@dataclass(frozen=True, slots=True)
class MappedAddress:
    """The address under which a STUN server sees us, as IP text, and the port."""

    host: str
    port: int


class BindingRequest:
    """One connectivity check. Nothing in it may be believed before `authentic` has said so.

    `local_ufrag` is ours and `remote_ufrag` the client's: USERNAME has the receiver's first (RFC 8445 section 7.2.2).
    """

    __slots__ = ("_message", "length", "local_ufrag", "remote_ufrag", "transaction_id")

    def __init__(self, message: codec.Message, length: int) -> None:
        username = message.attributes.get("USERNAME")
        if username is None:
            raise MalformedPacket("a connectivity check without USERNAME")
        local, colon, remote = username.partition(":")
        if not (local and colon and remote):
            raise MalformedPacket("a USERNAME that is not two fragments")
        self.local_ufrag: str = local
        self.remote_ufrag: str = remote
        self.transaction_id: bytes = message.transaction_id
        self.length = length
        self._message = message

    @property
    def use_candidate(self) -> bool:
        """The client nominates this pair (RFC 8445 section 7.3.1.5)."""
        return "USE-CANDIDATE" in self._message.attributes

    @property
    def controlling(self) -> bool:
        """The client says that it is the controlling agent."""
        return "ICE-CONTROLLING" in self._message.attributes

    @property
    def controlled(self) -> bool:
        """The client says that it is the controlled agent, which opposite a lite agent it cannot be."""
        return "ICE-CONTROLLED" in self._message.attributes

    def authentic(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY is there and right (RFC 8489 section 9.1.3). Compared in constant time."""
        return bool(self._message.check_message_integrity(password.encode()))


def parse_request(datagram: bytes) -> BindingRequest | None:
    """Read a connectivity check. None for sound STUN of another kind, such as a keepalive indication.

    Raises `MalformedPacket` for what is not sound, a wrong FINGERPRINT included.
    """
    message = _parse(datagram)
    if message.message_method != codec.Method.BINDING or message.message_class != codec.Class.REQUEST:
        return None
    return BindingRequest(message, len(datagram))


def success_response(request: BindingRequest, source: Address, password: str) -> bytes:
    """The answer to an authentic check: where it came from, signed (RFC 8489 section 6.3.1.1)."""
    return _signed(
        codec.Message(
            message_method=codec.Method.BINDING,
            message_class=codec.Class.RESPONSE,
            transaction_id=request.transaction_id,
            attributes={"XOR-MAPPED-ADDRESS": (source[0], source[1])},
        ),
        password,
    )


def error_response(request: BindingRequest, code: int, password: str | None = None) -> bytes | None:
    """An error with one of the codes in `REASONS`, signed when the request was authentic and `password` is given.

    Without a password the request may come from anyone under a false address: then the answer is None when it
    would be longer than the request.
    """
    message = codec.Message(
        message_method=codec.Method.BINDING,
        message_class=codec.Class.ERROR,
        transaction_id=request.transaction_id,
        attributes={"ERROR-CODE": (code, REASONS[code])},
    )
    if password is not None:
        return _signed(message, password)
    message.add_fingerprint()
    response = bytes(message)
    return response if len(response) <= request.length else None


def binding_query(transaction_id: bytes) -> bytes:
    """A plain request to a STUN server: which address do you see? `transaction_id` is 12 random bytes."""
    message = codec.Message(
        message_method=codec.Method.BINDING, message_class=codec.Class.REQUEST, transaction_id=transaction_id
    )
    message.add_fingerprint()
    return bytes(message)


def read_mapped_address(datagram: bytes, transaction_id: bytes) -> MappedAddress:
    """The answer to `binding_query`. Raises `MalformedPacket` for any other datagram and for an error answer."""
    message = _parse(datagram)
    if message.message_method != codec.Method.BINDING or message.message_class != codec.Class.RESPONSE:
        raise MalformedPacket("not a Binding success response")
    if message.transaction_id != transaction_id:
        raise MalformedPacket("a response to another request")
    for name in ("XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"):
        if name in message.attributes:
            host, port = message.attributes[name]
            return MappedAddress(host, port)
    raise MalformedPacket("a Binding response without an address")


def _parse(datagram: bytes) -> codec.Message:
    """The one place where aioice reads foreign bytes. It checks neither the cookie nor the first two bits."""
    if not HEADER_BYTES <= len(datagram) <= MAX_BYTES:
        raise MalformedPacket("a STUN message of impossible length")
    kind, _, cookie = struct.unpack_from("!HHI", datagram)
    if kind & 0xC000 or cookie != codec.COOKIE:
        raise MalformedPacket("not a STUN message (RFC 8489 section 5)")
    try:
        return codec.parse_message(datagram)
    except (ValueError, IndexError, struct.error) as error:
        raise MalformedPacket(f"a STUN message that cannot be read: {error}") from error


def _signed(message: Any, password: str) -> bytes:
    message.add_message_integrity(password.encode())
    return bytes(message)
