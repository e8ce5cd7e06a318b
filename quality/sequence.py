"""RTP sequence numbers without their wrap (RFC 3550 section 5.1 and appendix A.1). Pure."""

SEQUENCE_MODULUS = 1 << 16
MAX_DROPOUT = 3000
MAX_MISORDER = 100


class SequenceTracker:
    """Extended sequence numbers of one RTP stream.

    RFC 3550 appendix A.1, without its probation: SRTP has already shown who sends. `highest` is the extended highest
    sequence number, `base` the first one that was expected; both are None before the first packet. A packet that is
    MAX_DROPOUT or more ahead, or MAX_MISORDER or more behind, moves nothing by itself; when the next number follows it,
    the sender has restarted, and the count goes on from there without charging the leap as loss.
    """

    __slots__ = ("_candidate", "base", "highest")

    def __init__(self) -> None:
        self.base: int | None = None
        self.highest: int | None = None
        self._candidate = -1

    def update(self, sequence: int) -> int:
        """Take the 16-bit number of a packet that arrived; answer its extended number.

        Duplicates and late packets get the number that they had. A late packet from before the first one is answered
        with a number below `base`, perhaps below 0.
        """
        if self.highest is None or self.base is None:
            self.base = self.highest = sequence
            return sequence
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self.highest += ahead
            return self.highest
        if ahead > SEQUENCE_MODULUS - MAX_MISORDER:
            return self.highest + ahead - SEQUENCE_MODULUS
        if sequence == self._candidate:
            self._candidate = -1
            self.highest += ahead
            # Both packets of the restart were expected, nothing between the old run and them was.
            self.base += ahead - 2
            return self.highest
        self._candidate = (sequence + 1) & 0xFFFF
        return nearest(sequence, self.highest)

    @property
    def expected(self) -> int:
        """Packets that should have arrived so far (RFC 3550 appendix A.3)."""
        if self.highest is None or self.base is None:
            return 0
        return self.highest - self.base + 1


def nearest(sequence: int, reference: int) -> int:
    """The extended number with the low 16 bits of `sequence` that is closest to `reference`; ties go ahead."""
    return reference + ((sequence - reference + 0x7FFF) & 0xFFFF) - 0x7FFF
