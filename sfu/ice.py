"""The ICE-lite end of one endpoint: which address it is reached at, and until when (RFC 8445 section 2.5).

Pure state: a check or a packet comes in with its time, what changed comes out. Rules of the selected address, to which
everything is sent:

| what comes                                                     | the selected address                   |
|----------------------------------------------------------------|----------------------------------------|
| first authentic check                                          | its source                             |
| authentic check with USE-CANDIDATE                             | its source, at once                    |
| authentic check or packet of another bound address, and the    | that address                           |
| selected one has been silent for `SILENCE`                     |                                        |
| `SILENCE` has passed, and an address was bound since the       | the newest of these                    |
| selected one was heard (`advance`)                             |                                        |
| anything else                                                  | stays                                  |

The last two make NAT rebinding work for clients whose later checks carry no USE-CANDIDATE and come every 5 s. Two
living pairs, each checked every 5 s, do not take turns: one of the two gaps between them is shorter than `SILENCE`.

A check is valid under our current credentials or, after a restart, also under the former ones until the first
nominated check under the new (RFC 8445 section 9). It must have MESSAGE-INTEGRITY. The client's half of USERNAME is not
compared: RFC 8445 section 7.3 asks for ours only. A transaction that was seen before is answered to the same source
and changes nothing; from another source it is somebody's copy and is dropped.

Consent (RFC 7675): `CONSENT` seconds without a valid check, and the endpoint is gone for good.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sfu.offer import IceParameters
from sfu.stun import Address, BindingRequest, error_response, success_response

SILENCE: Final = 3.0
CONSENT: Final = 30.0
MAX_BOUND: Final = 8
MAX_TRANSACTIONS: Final = 32


class Source(NamedTuple):
    """Where a datagram came from: the number of our socket that it came in on, and the sender's address."""

    socket: int
    address: Address


@dataclass(frozen=True, slots=True)
class AddressBound:
    """A check from `source` was authentic: its packets belong to this endpoint. `forgotten` had to make room."""

    source: Source
    forgotten: Source | None


@dataclass(frozen=True, slots=True)
class SelectedMoved:
    """Send to `source` from now on. `previous` is None at the first, when the endpoint is reachable at last."""

    source: Source
    previous: Source | None


@dataclass(frozen=True, slots=True)
class CredentialsForgotten:
    """A restart is complete: checks for this fragment of ours are no longer valid."""

    ufrag: str


@dataclass(frozen=True, slots=True)
class ConsentExpired:
    """No valid check for 30 s. The endpoint answers nothing any more; send nothing."""


IceEvent = AddressBound | SelectedMoved | CredentialsForgotten | ConsentExpired


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check led to: the datagram to send back to its source, if any, and what changed, in order."""

    response: bytes | None = None
    events: tuple[IceEvent, ...] = ()


@dataclass(slots=True)
class _Bound:
    since: float
    heard: float


NOTHING: Final = CheckResult()


def make_credentials(random_bytes: Callable[[int], bytes]) -> IceParameters:
    """New credentials of ours from a source like `secrets.token_bytes`.

    48 and 144 bits; RFC 8445 section 5.3 wants 24 and 128.
    """
    return IceParameters(ufrag=b64encode(random_bytes(6)).decode(), pwd=b64encode(random_bytes(18)).decode())


class IceLite:
    """The ICE state of one endpoint. `now` is monotonic seconds throughout; the module's docstring has the rules."""

    def __init__(self, local: IceParameters, remote: IceParameters, now: float) -> None:
        self.local = local
        self.remote = remote
        self.selected: Source | None = None
        self.expired = False
        self._former: IceParameters | None = None
        self._bound: dict[Source, _Bound] = {}
        self._transactions: dict[bytes, Source] = {}
        self._consent_until = now + CONSENT

    def usernames(self) -> tuple[str, ...]:
        """Our username fragments that are valid now: one, or two during a restart."""
        if self.expired:
            return ()
        return (self.local.ufrag,) if self._former is None else (self.local.ufrag, self._former.ufrag)

    def addresses(self) -> tuple[Source, ...]:
        """The bound addresses, the oldest first."""
        return tuple(self._bound)

    def receive(self, request: BindingRequest, source: Source, now: float) -> CheckResult:
        """One check (RFC 8445 section 7.3). Without valid credentials it is not answered and changes nothing."""
        credentials = self._authenticate(request)
        if credentials is None:
            return NOTHING
        known = self._transactions.get(request.transaction_id)
        if known is not None and known != source:
            return NOTHING
        if request.controlled:
            # RFC 8445 section 7.3.1.1; a lite agent is always the controlled one (section 6.1.1).
            code = 400 if request.controlling else 487
            return CheckResult(error_response(request, code, credentials.pwd))
        response = success_response(request, source.address, credentials.pwd)
        if known is not None:
            return CheckResult(response)
        self._remember(request.transaction_id, source)
        self._consent_until = now + CONSENT
        events: list[IceEvent] = [*self._bind(source, now), *self._select(source, now, nominated=request.use_candidate)]
        if request.use_candidate and credentials is self.local:
            events += self._forget_former()
        return CheckResult(response, tuple(events))

    def heard(self, source: Source, now: float) -> SelectedMoved | None:
        """An authentic DTLS or SRTP packet came from `source`. An address that is not bound is none of ours.

        A time earlier than one already told is taken as known, so that a shell may tell of the selected address late.
        """
        bound = self._bound.get(source)
        if bound is None:
            return None
        bound.heard = max(bound.heard, now)
        if source == self.selected or self.expired:
            return None
        moved = self._select(source, now, nominated=False)
        return moved[0] if moved else None

    def restart(self, remote: IceParameters, local: IceParameters, now: float) -> tuple[CredentialsForgotten, ...]:
        """New credentials on both sides (RFC 8445 section 9). Addresses and the selection stay as they are.

        The request came over signaling from the client itself, so that consent counts anew. Of several restarts
        that were never checked only the last one and the credentials that work now stay valid.
        """
        forgotten: tuple[CredentialsForgotten, ...] = ()
        if self._former is None:
            self._former = self.local
        else:
            forgotten = (CredentialsForgotten(self.local.ufrag),)
        self.local, self.remote = local, remote
        self._consent_until = now + CONSENT
        return forgotten

    def deadline(self) -> float:
        """When `advance` next has something to do, in monotonic seconds; infinity once expired."""
        if self.expired:
            return float("inf")
        if self.selected is None or self._newest_since(self._bound[self.selected].heard) is None:
            return self._consent_until
        return min(self._consent_until, self._bound[self.selected].heard + SILENCE)

    def advance(self, now: float) -> tuple[IceEvent, ...]:
        """Do what is due at `now`: give up after 30 s, or leave a silent address for one that was bound since."""
        if self.expired:
            return ()
        if now >= self._consent_until:
            self.expired = True
            return (ConsentExpired(),)
        if self.selected is None:
            return ()
        newest = self._newest_since(self._bound[self.selected].heard)
        return self._select(newest, now, nominated=False) if newest else ()

    def _authenticate(self, request: BindingRequest) -> IceParameters | None:
        if self.expired:
            return None
        for credentials in (self.local, self._former):
            if credentials is not None and credentials.ufrag == request.local_ufrag:
                return credentials if request.authentic(credentials.pwd) else None
        return None

    def _remember(self, transaction_id: bytes, source: Source) -> None:
        if len(self._transactions) >= MAX_TRANSACTIONS:
            del self._transactions[next(iter(self._transactions))]
        self._transactions[transaction_id] = source

    def _bind(self, source: Source, now: float) -> tuple[AddressBound, ...]:
        bound = self._bound.get(source)
        if bound is not None:
            bound.heard = max(bound.heard, now)
            return ()
        forgotten = None
        if len(self._bound) >= MAX_BOUND:  # the one that has been silent longest goes, never the selected one
            forgotten = min((s for s in self._bound if s != self.selected), key=lambda s: self._bound[s].heard)
            del self._bound[forgotten]
        self._bound[source] = _Bound(since=now, heard=now)
        return (AddressBound(source, forgotten),)

    def _select(self, source: Source, now: float, *, nominated: bool) -> tuple[SelectedMoved, ...]:
        previous = self.selected
        if source == previous:
            return ()
        if previous is not None and not nominated and now < self._bound[previous].heard + SILENCE:
            return ()
        self.selected = source
        return (SelectedMoved(source, previous),)

    def _newest_since(self, moment: float) -> Source | None:
        since = [source for source, bound in self._bound.items() if bound.since > moment]
        return since[-1] if since else None

    def _forget_former(self) -> tuple[CredentialsForgotten, ...]:
        if self._former is None:
            return ()
        former, self._former = self._former, None
        return (CredentialsForgotten(former.ufrag),)
