"""A minimal WebRTC audio client: one UDP socket, ICE checks, DTLS, SRTP, and RTP whose payload is whatever it is given.

For benches and tests. It has no task and no thread: the loop's callbacks drive it, so that two hundred of them fit into
a few processes. Signaling is a function from offer to answer, of a media server in the same process or of one behind a
WebSocket. It misbehaves on request: `packet` writes any RTP packet, `protect` encrypts it, `put` sends any octets.
"""

import asyncio
import random
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pylibsrtp
from aioice import stun

from bench.peer_dtls import ALL_PROFILES, DtlsEnd, Identity, shared_identity
from bench.peer_rtp import USUAL, Count, Fields, Heard, Outgoing, extension_block, read_packet, write_packet
from bench.peer_sdp import LEVEL, MID, Answer, Credentials, Shape, read_answer, write_offer
from sfu.rtcp import Goodbye, ReceiverReport, ReportBlock, RtcpPacket, SenderReport
from sfu.rtcp_build import build as build_rtcp
from sfu.rtcp_build import describe
from sfu.rtcp_parse import parse as parse_rtcp

Signal = Callable[[str], str | Awaitable[str]]
"""Brings an offer to the server; the answer."""

PATIENCE = 10.0
"""Seconds after which something that a test waits for has not happened."""

CHECK_EVERY = 5.0
FIRST_CHECK_AGAIN = 0.25
_DATAGRAMS_A_WAKE_UP = 128


@dataclass(slots=True)
class Habits:
    """How a peer behaves. `keep`: remember every packet and report heard, not only counts. `silent`: no checks by
    itself. `deaf_to_dtls`: that many of the server's DTLS datagrams are lost on the way. `dtls`: open the association.
    """

    profiles: tuple[str, ...] = ALL_PROFILES
    identity: Identity = field(default_factory=shared_identity)
    host: str = "127.0.0.1"
    keep: bool = True
    silent: bool = False
    check_every: float = CHECK_EVERY
    lose_sent_dtls: int = 0
    dtls: bool = True


class Peer:
    """One client.

    `heard` has what came on each mid, `counts` what came on each SSRC, `reports` the RTCP packets, `responses` the
    number of STUN answers.
    `offered_at` and `connected_at` are monotonic seconds.
    """

    def __init__(self, shape: Shape | None = None, habits: Habits | None = None) -> None:
        """Prepare; `connect` opens the socket."""
        self.shape = shape or Shape()
        self.habits = habits or Habits()
        self.answer: Answer | None = None
        self.dtls: DtlsEnd | None = None
        self.heard: defaultdict[str | None, list[Heard]] = defaultdict(list)
        self.counts: dict[int, Count] = {}
        self.reports: list[RtcpPacket] = []
        self.responses = 0
        self.refused = 0
        self.offered_at = self.connected_at = 0.0
        self.ssrc = random.getrandbits(32)
        self.server: tuple[str, int] | None = None
        self.socket = self._open()
        self.credentials = self._fresh_credentials()
        self._sent: dict[int, Outgoing] = {}
        self._offers = 0
        self._checks: dict[bytes, str] = {}
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket.fileno(), self._readable)

    # signaling

    async def negotiate(self, signal: Signal) -> Answer:
        """Offer what `shape` says now, and take the answer."""
        self._offers += 1
        self.offered_at = time.monotonic()
        answered = signal(write_offer(self.shape, self.credentials, self.ssrc, self._offers))
        text = answered if isinstance(answered, str) else await answered
        self.answer = read_answer(text)
        family = self.socket.family
        for host, port in self.answer.candidates:
            if (socket.AF_INET6 if ":" in host else socket.AF_INET) == family:
                self.server = (host, port)
                break
        else:
            raise LookupError(f"no candidate for {self.habits.host} in {self.answer.candidates}")
        return self.answer

    async def connect(self, signal: Signal) -> "Peer":
        """Negotiate, check, shake hands; back once keys are agreed. Raises ConnectionError when they are not."""
        await self.negotiate(signal)
        self.check()
        self._later("check", FIRST_CHECK_AGAIN, self._check_again)
        await self.until(lambda: self.dtls is not None and self.dtls.state != "connecting")
        if self.dtls is None or self.dtls.state != "connected":
            raise ConnectionError(f"DTLS ended as {self.dtls.state if self.dtls else 'new'}")
        return self

    def restart_ice(self) -> None:
        """New ICE credentials for the next offer."""
        self.credentials = self._fresh_credentials()

    async def until(self, happened: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until `happened` says so; it is asked after every datagram. Raises TimeoutError."""
        if happened():
            return
        future = self._loop.create_future()
        entry = (happened, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await future
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)

    # sending

    def check(self, *, nominate: bool = True, pwd: str | None = None, ufrag: str | None = None) -> bytes:
        """Send one connectivity check (RFC 8445 section 7.2.2), with other credentials if asked; its octets."""
        assert self.answer is not None
        remote = self.answer.credentials
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{ufrag or remote.ufrag}:{self.credentials.ufrag}"
        message.attributes["PRIORITY"] = 1845501695
        message.attributes["ICE-CONTROLLING"] = 1
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity((pwd or remote.pwd).encode())
        message.add_fingerprint()
        self._checks[message.transaction_id] = remote.pwd
        data = bytes(message)
        self.put(data)
        return data

    def packet(self, payload: bytes, fields: Fields = USUAL) -> bytes:
        """The next RTP packet of the microphone, or of another SSRC, in clear."""
        ssrc = self.ssrc if fields.ssrc is None else fields.ssrc
        state = self._sent.get(ssrc)
        if state is None:
            state = self._sent[ssrc] = Outgoing(ssrc, random.getrandbits(15), random.getrandbits(32))
        block = b""
        if self.answer is not None:
            line = next(iter(self.answer.lines.values()))
            mid_id = line.extensions.get(MID)
            block = extension_block(line.extensions.get(LEVEL), fields.level, mid_id, line.mid)
        return write_packet(state, fields, self.shape.payload_type, block, payload)

    def protect(self, packet: bytes) -> bytes:
        """RTP to SRTP."""
        assert self.dtls is not None
        assert self.dtls.sending is not None
        protected: bytes = self.dtls.sending.protect(packet)
        return protected

    def send(self, payload: bytes, fields: Fields = USUAL) -> bytes:
        """Send one packet; what went over the wire."""
        data = self.protect(self.packet(payload, fields))
        self.put(data)
        return data

    def report(self, *packets: RtcpPacket) -> None:
        """Send RTCP: what is given, else the usual sender or receiver report with what was heard."""
        assert self.dtls is not None
        assert self.dtls.sending is not None
        listed = packets or (self._usual_report(), describe([self.ssrc], "peer"))
        self.put(self.dtls.sending.protect_rtcp(build_rtcp(*listed)))

    def put(self, datagram: bytes) -> None:
        """Send any octets to the server; what the kernel refuses is lost, as on any network."""
        assert self.server is not None
        try:
            self.socket.sendto(datagram, self.server)
        except OSError:
            self.refused += 1

    def move(self, to: socket.socket | None = None) -> socket.socket:
        """Use another port from now on, as behind a NAT that has forgotten us; the former socket, still open."""
        former = self.socket
        self._loop.remove_reader(former.fileno())
        self.socket = to or self._open()
        self._loop.add_reader(self.socket.fileno(), self._readable)
        return former

    def close(self, *, politely: bool = True) -> None:
        """End it, with BYE and close_notify unless it is to vanish. May be called again."""
        if self.socket.fileno() < 0:
            return
        if politely and self.dtls is not None and self.server is not None:
            if self.dtls.state == "connected":
                self.report(ReceiverReport(self.ssrc), Goodbye((self.ssrc,)))
            self.dtls.say_goodbye()
            self._flush()
        for timer in self._timers.values():
            timer.cancel()
        self._loop.remove_reader(self.socket.fileno())
        self.socket.close()
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionError("the peer was closed"))
        self._waiting.clear()

    # inside

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.habits.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((self.habits.host, 0))
        return opened

    def _fresh_credentials(self) -> Credentials:
        return Credentials(secrets.token_hex(4), secrets.token_hex(12), self.habits.identity.fingerprint)

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._loop.call_later(seconds, call)

    def _check_again(self) -> None:
        """Checks in quick succession until the first answer, then for consent (RFC 7675)."""
        if not self.habits.silent:
            self.check()
        self._later("check", self.habits.check_every if self.responses else FIRST_CHECK_AGAIN, self._check_again)

    def _readable(self) -> None:
        for _ in range(_DATAGRAMS_A_WAKE_UP):
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                continue
            self._receive(data)
            if self.socket.fileno() < 0:
                return
        for entry in list(self._waiting):
            if entry[0]() and entry in self._waiting:
                self._waiting.remove(entry)
                if not entry[1].done():
                    entry[1].set_result(None)

    def _receive(self, data: bytes) -> None:
        if data[0] <= 3:
            self._receive_response(data)
        elif data[0] < 64:
            if self.dtls is not None:
                self.dtls.receive(data)
                self._flush()
        elif self.dtls is None or self.dtls.receiving is None:
            return
        elif 192 <= data[1] <= 223:
            packets = parse_rtcp(self.dtls.receiving.unprotect_rtcp(data))
            if self.habits.keep:
                self.reports += packets
        else:
            self._receive_rtp(data, self.dtls.receiving)

    def _receive_response(self, data: bytes) -> None:
        message = stun.parse_message(data)
        pwd = self._checks.pop(message.transaction_id, None)
        if pwd is None or not message.check_message_integrity(pwd.encode()):
            raise ValueError("a STUN message that answers none of ours")
        self.responses += 1
        if self.dtls is None and self.habits.dtls and message.message_class == stun.Class.RESPONSE:
            assert self.answer is not None
            client = self.answer.setup == "passive"
            fingerprint = self.answer.credentials.fingerprint
            self.dtls = DtlsEnd(self.habits.identity, self.habits.profiles, fingerprint, client=client)
            self.dtls.start()
            self._flush()

    def _receive_rtp(self, data: bytes, session: pylibsrtp.Session) -> None:
        heard = read_packet(session.unprotect(data), time.monotonic())
        count = self.counts.get(heard.ssrc)
        if count is None:
            count = self.counts[heard.ssrc] = Count()
        count.take(heard.sequence, len(heard.payload), heard.at)
        if self.habits.keep:
            mid = self.answer.mid_of(heard.ssrc) if self.answer is not None else None
            self.heard[mid].append(replace(heard, mid=mid))

    def _flush(self) -> None:
        """Send what DTLS has written, and look when it wants to send it again."""
        dtls = self.dtls
        assert dtls is not None
        out, dtls.out = dtls.out, []
        for datagram in out:
            if self.habits.lose_sent_dtls > 0:
                self.habits.lose_sent_dtls -= 1
            else:
                self.put(datagram)
        if dtls.state == "connected" and not self.connected_at:
            self.connected_at = time.monotonic()
        wait = dtls.timeout()
        if wait is not None:
            self._later("dtls", wait, self._dtls_again)

    def _dtls_again(self) -> None:
        if self.dtls is not None and self.dtls.state == "connecting":
            self.dtls.retransmit()
            self._flush()

    def _usual_report(self) -> SenderReport | ReceiverReport:
        blocks = tuple(
            ReportBlock(ssrc, 0, count.lost, count.highest & 0xFFFFFFFF, 0, 0, 0) for ssrc, count in self.counts.items()
        )
        state = self._sent.get(self.ssrc)
        if state is None:
            return ReceiverReport(self.ssrc, blocks)
        ntp = int(time.monotonic() * 2**32)
        return SenderReport(self.ssrc, ntp, state.timestamp, state.packets, state.octets, blocks)
