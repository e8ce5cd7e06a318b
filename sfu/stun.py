"""STUN messages of an ICE-lite server (RFC 8489, RFC 8445 section 7.3): connectivity checks, and our own address.

`parse_request` is cheap: it finds out for whom a check is; `BindingRequest.authentic` then costs one HMAC. Only
`MalformedPacket` leaves this module. A request that is not authentic is not answered at all, though RFC 8489 section
9.1.3 has 400 and 401 for it: an answer would tell a stranger who is here and would be traffic that the stranger steers.
Unknown attributes are skipped, also those that RFC 8489 section 6.3.1 would have refused with 420.
"""

import hmac
import struct
import zlib
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from sfu.errors import MalformedPacket

HEADER_BYTES: Final = 20
MAX_BYTES: Final = 1500
REASONS: Final = {400: "Bad Request", 401: "Unauthenticated", 487: "Role Conflict"}

_COOKIE: Final = 0x2112A442
_FINGERPRINT_XOR: Final = 0x5354554E
_REQUEST, _RESPONSE, _ERROR = 0x0001, 0x0101, 0x0111
"""Method Binding with three of its classes (RFC 8489 section 5)."""
_MAPPED_ADDRESS, _USERNAME, _INTEGRITY, _ERROR_CODE, _XOR_MAPPED_ADDRESS = 0x0001, 0x0006, 0x0008, 0x0009, 0x0020
_USE_CANDIDATE, _FINGERPRINT, _CONTROLLED, _CONTROLLING = 0x0025, 0x8028, 0x8029, 0x802A
_FAMILIES = {4: 0x01, 6: 0x02}
_ADDRESS_BYTES = {0x01: 4, 0x02: 16}

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as `recvfrom` gives it. Only host and port are used here."""


@dataclass(frozen=True, slots=True)
class MappedAddress:
    """The address under which a STUN server sees us, as IP text, and the port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Message:
    """A message that was read: the first of each attribute that its integrity covers, or all without one.

    `signed` is what MESSAGE-INTEGRITY is computed over, its length field as of then (RFC 8489 section 14.5).
    """

    kind: int
    transaction_id: bytes
    attributes: dict[int, bytes]
    signed: bytes


class BindingRequest:
    """One connectivity check. Nothing in it may be believed before `authentic` has said so.

    `local_ufrag` is ours and `remote_ufrag` the client's: USERNAME has the receiver's first (RFC 8445 section 7.2.2).
    """

    __slots__ = ("_message", "length", "local_ufrag", "remote_ufrag", "transaction_id")

    def __init__(self, message: _Message, length: int) -> None:
        try:
            local, colon, remote = message.attributes[_USERNAME].decode().partition(":")
        except (KeyError, UnicodeDecodeError) as error:
            raise MalformedPacket("a connectivity check without a USERNAME in UTF-8") from error
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
        return _USE_CANDIDATE in self._message.attributes

    @property
    def controlling(self) -> bool:
        """The client says that it is the controlling agent."""
        return _CONTROLLING in self._message.attributes

    @property
    def controlled(self) -> bool:
        """The client says that it is the controlled agent, which opposite a lite agent it cannot be."""
        return _CONTROLLED in self._message.attributes

    def authentic(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY is there and right (RFC 8489 section 9.1.3). Compared in constant time."""
        given = self._message.attributes.get(_INTEGRITY)
        return given is not None and hmac.compare_digest(given, _integrity(self._message.signed, password))


def parse_request(datagram: bytes) -> BindingRequest | None:
    """Read a connectivity check. None for sound STUN of another kind, such as a keepalive indication.

    Raises `MalformedPacket` for what is not sound, a wrong FINGERPRINT included.
    """
    message = _parse(datagram)
    if message.kind != _REQUEST:
        return None
    return BindingRequest(message, len(datagram))


def success_response(request: BindingRequest, source: Address, password: str) -> bytes:
    """The answer to an authentic check: where it came from, signed (RFC 8489 section 6.3.1.1)."""
    address = ip_address(source[0])
    mask = _xor_mask(request.transaction_id)
    value = struct.pack("!BBH", 0, _FAMILIES[address.version], source[1]) + address.packed
    mapped = value[:2] + _xor(value[2:], mask)
    return _signed(_RESPONSE, request.transaction_id, _attribute(_XOR_MAPPED_ADDRESS, mapped), password)


def error_response(request: BindingRequest, code: int, password: str | None = None) -> bytes | None:
    """An error with one of the codes in `REASONS`, signed when the request was authentic and `password` is given.

    Without a password the request may come from anyone under a false address: then the answer is None when it
    would be longer than the request.
    """
    said = _attribute(_ERROR_CODE, struct.pack("!HBB", 0, *divmod(code, 100)) + REASONS[code].encode())
    if password is not None:
        return _signed(_ERROR, request.transaction_id, said, password)
    response = _fingerprinted(_ERROR, request.transaction_id, said)
    return response if len(response) <= request.length else None


def binding_query(transaction_id: bytes) -> bytes:
    """A plain request to a STUN server: which address do you see? `transaction_id` is 12 random bytes."""
    return _fingerprinted(_REQUEST, transaction_id, b"")


def read_mapped_address(datagram: bytes, transaction_id: bytes) -> MappedAddress:
    """The answer to `binding_query`. Raises `MalformedPacket` for any other datagram and for an error answer."""
    message = _parse(datagram)
    if message.kind != _RESPONSE:
        raise MalformedPacket("not a Binding success response")
    if message.transaction_id != transaction_id:
        raise MalformedPacket("a response to another request")
    for kind, mask in ((_XOR_MAPPED_ADDRESS, _xor_mask(transaction_id)), (_MAPPED_ADDRESS, bytes(18))):
        if kind in message.attributes:
            return _read_address(message.attributes[kind], mask)
    raise MalformedPacket("a Binding response without an address")


def _parse(datagram: bytes) -> _Message:
    """The one place where foreign bytes are read. FINGERPRINT is checked, MESSAGE-INTEGRITY is not."""
    if not HEADER_BYTES <= len(datagram) <= MAX_BYTES:
        raise MalformedPacket("a STUN message of impossible length")
    kind, length, cookie = struct.unpack_from("!HHI", datagram)
    if kind & 0xC000 or cookie != _COOKIE:
        raise MalformedPacket("not a STUN message (RFC 8489 section 5)")
    if length != len(datagram) - HEADER_BYTES or length % 4:
        raise MalformedPacket("a STUN message of another length than it says")
    attributes: dict[int, bytes] = {}
    signed = b""
    at = HEADER_BYTES
    while at < len(datagram):
        name, size = struct.unpack_from("!HH", datagram, at)
        value = datagram[at + 4 : at + 4 + size]
        if len(value) != size:
            raise MalformedPacket("a STUN attribute that goes beyond its message")
        if name == _FINGERPRINT:
            if value != _fingerprint(datagram[:at]):
                raise MalformedPacket("a STUN message with a wrong FINGERPRINT")
        elif not signed:  # what follows the integrity is not covered by it (RFC 8489 section 14.5)
            attributes.setdefault(name, value)
            if name == _INTEGRITY:
                signed = datagram[:at]
        at += 4 + size + -size % 4
    return _Message(kind, datagram[8:HEADER_BYTES], attributes, signed)


def _read_address(value: bytes, mask: bytes) -> MappedAddress:
    """The value of MAPPED-ADDRESS (RFC 8489 section 14.1), or of the one that `mask` makes of it (section 14.2)."""
    if len(value) < 4 or len(value) - 4 != _ADDRESS_BYTES.get(value[1]):
        raise MalformedPacket("a STUN address of no known family")
    plain = _xor(value[2:], mask)
    return MappedAddress(str(ip_address(plain[2:])), int.from_bytes(plain[:2], "big"))


def _xor_mask(transaction_id: bytes) -> bytes:
    """What the port and the address of XOR-MAPPED-ADDRESS are masked with."""
    return struct.pack("!HI", _COOKIE >> 16, _COOKIE) + transaction_id


def _xor(value: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(value, mask, strict=False))


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _header(kind: int, length: int, transaction_id: bytes) -> bytes:
    return struct.pack("!HHI", kind, length, _COOKIE) + transaction_id


def _signed(kind: int, transaction_id: bytes, attributes: bytes, password: str) -> bytes:
    """The message with MESSAGE-INTEGRITY and FINGERPRINT."""
    integrity = _integrity(_header(kind, len(attributes), transaction_id) + attributes, password)
    return _fingerprinted(kind, transaction_id, attributes + _attribute(_INTEGRITY, integrity))


def _fingerprinted(kind: int, transaction_id: bytes, attributes: bytes) -> bytes:
    """The message with FINGERPRINT."""
    message = _header(kind, len(attributes) + 8, transaction_id) + attributes
    return message + _attribute(_FINGERPRINT, _fingerprint(message))


def _integrity(message: bytes, password: str) -> bytes:
    """HMAC-SHA1 of what stands before MESSAGE-INTEGRITY; the length counts the attribute (RFC 8489 section 14.5)."""
    length = len(message) - HEADER_BYTES + 24
    return hmac.digest(password.encode(), message[:2] + length.to_bytes(2, "big") + message[4:], "sha1")


def _fingerprint(message: bytes) -> bytes:
    """CRC-32 of what stands before FINGERPRINT; the length counts the attribute (RFC 8489 section 14.7)."""
    length = len(message) - HEADER_BYTES + 8
    crc = zlib.crc32(message[:2] + length.to_bytes(2, "big") + message[4:])
    return (crc ^ _FINGERPRINT_XOR).to_bytes(4, "big")
