"""One peer connection as the shell holds it: the endpoint's engine, its DTLS session, its way to the wire. No rules.

Every change of the engine is followed by `pump`, which carries out what it says.
"""

import secrets
from collections.abc import Iterator, Set
from operator import attrgetter
from random import Random
from typing import Protocol

from sfu.answer import AnswerParameters, Setup, SlotStream, build_answer, choose_setup, negotiate
from sfu.dtls import Certificate, DtlsSession
from sfu.endpoint import (
    Arriving,
    Endpoint,
    Event,
    Flooding,
    Gone,
    MidsKnown,
    Record,
    Send,
)
from sfu.ice import AddressBound, CredentialsForgotten, IceLite, SelectedMoved, Source, make_credentials
from sfu.listener import StreamBegan, StreamEnded
from sfu.mmsg import PinnedSockaddr
from sfu.observer import MediaObserver
from sfu.offer import Fingerprint, Offer
from sfu.opus import OpusWishes
from sfu.peer import Peer
from sfu.reports import Reports
from sfu.room import MediaRoom
from sfu.slot import Route
from sfu.sources import BareKeyPress, KeysEnded, SourceEvent
from sfu.srtp import SrtpContext
from sfu.stun import BindingRequest
from sfu.switchboard import Switchboard


class ConnectionHost(Protocol):
    """What a connection needs of the server.

    `epoch` is what is added to `now()` to get Unix time. `stream_ids` are unique in the server. A connection has
    `most_slots` slots at most.
    """

    observer: MediaObserver
    switchboard: Switchboard
    certificate: Certificate
    chance: Random
    epoch: float
    stream_ids: Iterator[int]
    most_slots: int

    def now(self) -> float:
        """Monotonic seconds."""

    def schedule(self, connection: "Connection") -> None:
        """Wake the connection at the deadline of its endpoint."""

    def connection_gone(self, connection: "Connection", reason: str) -> None:
        """The connection has ended by itself."""


class Connection:
    """One endpoint with everything that it needs of the process."""

    def __init__(self, host: ConnectionHost, room: MediaRoom, participant_id: str, offer: Offer, now: float) -> None:
        """Begin for a first offer; `answer` makes the answer to it."""
        self.host = host
        self.room = room
        self.participant = participant_id
        self.fingerprints = offer.fingerprints
        self.cname = secrets.token_hex(8)
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._setup: Setup | None = None
        self._pinned: PinnedSockaddr | None = None
        self._peers: dict[Source, Peer] = {}
        self._names: set[str] = set()
        chance = host.chance
        reports = Reports(chance.randrange(1, 1 << 32), self.cname, host.epoch)
        ice = IceLite(make_credentials(secrets.token_bytes), offer.ice, now)
        self.endpoint = Endpoint(participant_id, ice, reports, chance, host.stream_ids)
        self.dtls = DtlsSession(host.certificate, self._send_record, self._connected, self._dtls_ended)

    @property
    def connected(self) -> bool:
        """Whether keys are agreed."""
        return self.endpoint.srtp is not None

    def continues(self, offer: Offer) -> bool:
        """Whether an offer goes on with this peer connection: the same certificate, and we have not given it up."""
        return not self.endpoint.gone and set(offer.fingerprints) == set(self.fingerprints)

    def check_answerable(self, offer: Offer) -> None:
        """Raise `BadOffer` when `answer` would."""
        negotiate(offer)
        choose_setup(offer, self._setup)

    def answer(self, offer: Offer, opus: OpusWishes, now: float) -> str:
        """The answer to a first or a changed offer, or an ICE restart. Raises `BadOffer`; then nothing has changed."""
        lines = negotiate(offer)
        setup = choose_setup(offer, self._setup)
        endpoint = self.endpoint
        if offer.ice != endpoint.ice.remote:
            endpoint.restart_ice(offer.ice, make_credentials(secrets.token_bytes), now)
        self._setup = setup
        self._version += 1
        endpoint.negotiate(offer, lines, self.host.most_slots)
        for name in endpoint.ice.usernames():
            self._names.add(name)
            self.host.switchboard.names[name] = self
        self._route_slots()
        self.room.set_slots(self.participant, endpoint.slots, now)
        self.pump()
        return build_answer(offer, self._parameters(setup, opus))

    def _parameters(self, setup: Setup, opus: OpusWishes) -> AnswerParameters:
        return AnswerParameters(
            session_id=self._session_id,
            version=self._version,
            ice=self.endpoint.ice.local,
            fingerprint=Fingerprint("sha-256", self.host.certificate.fingerprint),
            setup=setup,
            opus=opus,
            candidates=self.host.switchboard.candidates(),
            slots={
                slot.form.mid: SlotStream(slot.ssrc, f"slot-{slot.form.mid}", f"audio-{slot.form.mid}")
                for slot in self.endpoint.slots
            },
            cname=self.cname,
        )

    def pump(self) -> None:
        """Carry out what the engine has decided."""
        for output in self.endpoint.drain():
            if isinstance(output, Send):
                self.host.switchboard.send(output.data, output.to)
            else:
                self._take(output)
        self.host.schedule(self)

    def check(self, request: BindingRequest, source: Source, now: float) -> None:
        """One connectivity check for us; an authentic one makes its source ours."""
        known = self._peers.get(source)
        if self.endpoint.check(request, source, now) and known is not None:
            self.host.switchboard.claim(known)
        self.pump()

    def _take(self, event: Event) -> None:
        """One event of the engine."""
        host, now = self.host, self.host.now()
        match event:
            case Record(data):
                self.dtls.receive(data)
            case StreamBegan() | StreamEnded() | BareKeyPress() | KeysEnded():
                self._take_source(event, now)
            case AddressBound(source, forgotten):
                self._peers[source] = host.switchboard.bind(self, source)
                if forgotten is not None:
                    self._forget(forgotten)
            case SelectedMoved(source, previous):
                self._move(source, previous)
            case CredentialsForgotten(ufrag):
                self._names.discard(ufrag)
                host.switchboard.names.pop(ufrag, None)
            case MidsKnown():
                self.dtls.settle()
                self.room.route_changed(self.participant)
            case Arriving(arriving):
                host.observer.media_arriving(self.participant, arriving)
            case Flooding():
                host.observer.flooding(self.participant)
            case Gone(reason):
                host.connection_gone(self, reason)

    def _take_source(self, event: SourceEvent, now: float) -> None:
        """One event of what the peer sends: the room hears of it."""
        match event:
            case StreamBegan(stream):
                self.room.add_stream(self.participant, stream, now)
                self.dtls.settle()
            case StreamEnded(stream):
                self.room.remove_stream(self.participant, stream, now)
            case BareKeyPress():
                self.room.tones.take(self.participant, event, now)
            case KeysEnded(ssrc):
                self.room.tones.end(self.participant, ssrc)

    def _forget(self, source: Source) -> None:
        peer = self._peers.pop(source, None)
        if peer is not None:
            self.host.switchboard.unbind(peer)

    def _move(self, source: Source, previous: Source | None) -> None:
        """Send to `source` from now on; the first time, the handshake can begin."""
        for peer in self._peers.values():
            peer.selected = peer.source == source
        self._pinned = self.host.switchboard.pin(source)
        self._route_slots()
        self.room.route_changed(self.participant)
        if previous is None:
            self.dtls.start([(f.algorithm, f.value) for f in self.fingerprints], server=self._setup == "passive")

    def _send_record(self, data: bytes) -> None:
        selected = self.endpoint.ice.selected
        if selected is not None:
            self.host.switchboard.send(data, selected)

    def _connected(self, context: SrtpContext) -> None:
        self.endpoint.connected(context, self.host.now())
        self._route_slots()
        self.room.route_changed(self.participant)
        self.pump()
        selected = self.endpoint.ice.selected
        kind = None if selected is None else self.endpoint.candidates.type_of(selected.address)
        self.host.observer.media_connected(self.participant, kind)

    def _dtls_ended(self, reason: str) -> None:
        self.host.connection_gone(self, reason)

    def _route_slots(self) -> None:
        """Give the slots their way to the wire, once address and keys are known."""
        selected, context, pinned = self.endpoint.ice.selected, self.endpoint.srtp, self._pinned
        if selected is None or context is None or pinned is None:
            return
        route = Route(context.outbound, self.host.switchboard.sending(selected), pinned.address)
        for slot in self.endpoint.slots:
            slot.route = route

    def enter(self, room: MediaRoom, now: float) -> None:
        """Go on in another room, which the participant has joined already. The stream that sent last is active."""
        self.room = room
        for stream in sorted(self.endpoint.streams.values(), key=attrgetter("last_arrival"), reverse=True):
            room.add_stream(self.participant, stream, now)
        room.set_slots(self.participant, self.endpoint.slots, now)

    def close(self, now: float) -> Set[str]:
        """End it: undo what the room and the receive loop know of it; our username fragments, to be forgotten."""
        endpoint = self.endpoint
        self.room.set_slots(self.participant, (), now)
        for stream in endpoint.streams.values():
            self.room.remove_stream(self.participant, stream, now)
        for ssrc in endpoint.sources.keys:
            self.room.tones.end(self.participant, ssrc)
        endpoint.streams.clear()
        endpoint.close()
        for output in endpoint.drain():
            if isinstance(output, Send):
                self.host.switchboard.send(output.data, output.to)
        self.dtls.close()
        for source in list(self._peers):
            self._forget(source)
        return self._names
