"""The type of the client's candidate, for diagnosis; the server never sends to an address because a candidate names it.

RFC 8445 section 7.3.1.3: an address that a check came from, and that no candidate of the client's names, is
peer-reflexive (`prflx`). A NAT that the client has not looked through makes one, and so does a browser that hides its
own addresses behind mDNS names: no name is ever looked up.
"""

from ipaddress import ip_address

from sfu.offer import MAX_CANDIDATES, Candidate, CandidateType
from sfu.stun import Address


class RemoteCandidates:
    """What a client has named so far, in offers and one by one (RFC 8838)."""

    def __init__(self) -> None:
        self._named: dict[tuple[str, int], Candidate] = {}

    def learn(self, candidate: Candidate) -> None:
        """Keep it. Of two for the same address the one of higher priority counts (RFC 8445 section 5.1.3).

        Past `MAX_CANDIDATES` they are passed over.
        """
        try:
            key = (str(ip_address(candidate.address)), candidate.port)
        except ValueError:
            return
        if candidate.transport != "udp":
            return
        known = self._named.get(key)
        if known is None and len(self._named) >= MAX_CANDIDATES:
            return
        if known is None or candidate.priority > known.priority:
            self._named[key] = candidate

    def forget(self) -> None:
        """The client gathers anew: an ICE restart (RFC 8445 section 9)."""
        self._named.clear()

    def type_of(self, address: Address) -> CandidateType:
        """The type of the candidate at this address."""
        known = self._named.get((address[0], address[1]))
        return "prflx" if known is None else known.kind
