"""Which protocol a datagram on the media port belongs to (RFC 7983 section 7, RFC 5761 section 4). Pure."""

OTHER = 0
STUN = 1
DTLS = 2
RTP = 3
RTCP = 4

_FIRST_BYTE = bytes(
    STUN if byte <= 3 else DTLS if 20 <= byte <= 63 else RTP if 128 <= byte <= 191 else OTHER for byte in range(256)
)


def classify(first_byte: int) -> int:
    """STUN, DTLS, RTP (RTCP too: see `classify_datagram`) or OTHER, by RFC 7983; ZRTP, TURN and QUIC are OTHER."""
    return _FIRST_BYTE[first_byte]


def classify_datagram(datagram: bytes | bytearray | memoryview) -> int:
    """The same for a whole datagram, with RTCP told from RTP; an empty one is OTHER.

    RFC 5761 section 4: a second byte of 192..223 is an RTCP packet type, as RTP payload types 64..95 are not used
    with a marker bit under rtcp-mux. A lone first byte of RTP is RTP; its parser refuses it.
    """
    if not datagram:
        return OTHER
    kind = _FIRST_BYTE[datagram[0]]
    if kind == RTP and len(datagram) > 1 and 192 <= datagram[1] <= 223:
        return RTCP
    return kind
