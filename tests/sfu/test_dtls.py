"""The DTLS session against an independent DTLS end in memory."""

import asyncio
import gc
import inspect
import re
import sys
import threading
import weakref
from collections import deque
from pathlib import Path

import pytest
from aiortc import rtcdtlstransport as aiortc_dtls
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from bench.peer_dtls import ALL_PROFILES, DtlsEnd, Identity, shared_identity
from sfu import dtls as dtls_module
from sfu import dtls_alert, dtls_transport
from sfu.dtls import IMPORTER, LARGEST_RECORD, QUEUED_RECORDS, Certificate, DtlsSession, import_ended
from sfu.errors import DtlsUnavailable
from tests.support.house import eventually

ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"

SOURCE = Path(dtls_module.__file__).read_text() + Path(dtls_transport.__file__).read_text()
WRONG = ":".join(["AB"] * 32)


@pytest.fixture(scope="module")
def certificate():
    made = Certificate()
    made.prepare()
    return made


class Association:
    """A session of ours and the other end, with whatever lies between them in `lose` lost."""

    def __init__(self, certificate, *, server=True, profiles=ALL_PROFILES, fingerprint=None, identity=None):
        identity = identity or shared_identity()
        self.sent = []
        self.ended = []
        self.contexts = []
        self.lose_ours = 0
        self.lose_theirs = 0
        self.session = DtlsSession(certificate, self._deliver, self.contexts.append, self.ended.append)
        self.end = DtlsEnd(identity, profiles, certificate.fingerprint, client=server)
        self.server = server
        self.fingerprint = fingerprint or identity.fingerprint
        self._inbox = deque()

    def _deliver(self, record):
        self.sent.append(record)
        if self.lose_ours:
            self.lose_ours -= 1
        else:
            asyncio.get_running_loop().call_soon(self._take, record)

    def _take(self, record):
        self.end.receive(record)
        self.flush()

    def flush(self):
        out, self.end.out = self.end.out, []
        for record in out:
            if self.lose_theirs:
                self.lose_theirs -= 1
            else:
                self.session.receive(record)

    def start(self):
        self.session.start([("sha-256", self.fingerprint)], server=self.server)
        self.end.start()
        self.flush()
        return self

    async def connect(self):
        self.start()
        await eventually(lambda: self.contexts or self.ended)
        await eventually(lambda: self.ended or self.end.state != "connecting")
        return self

    async def close(self):
        self.session.close()
        await self.session.wait_closed()


@pytest.mark.parametrize("server", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("profile", ALL_PROFILES)
async def test_both_ends_agree_on_keys(certificate, profile, server):
    # RFC 5764 section 4.2; RFC 8842 section 5.3 for the roles.
    pair = await Association(certificate, server=server, profiles=(profile,)).connect()
    (context,) = pair.contexts
    assert context.profile.name == pair.end.profile == profile
    packet = bytes.fromhex("80 6f 00 01 00 00 00 00 00 00 00 07") + b"hello"
    assert pair.end.receiving.unprotect(context.protect(packet)) == packet
    assert context.unprotect(pair.end.sending.protect(packet)) == packet
    assert pair.session.state == "connected"
    await pair.close()
    assert not pair.ended


async def test_gcm_is_preferred(certificate):
    pair = await Association(certificate, profiles=tuple(reversed(ALL_PROFILES))).connect()
    assert pair.contexts[0].profile.name == "SRTP_AEAD_AES_256_GCM"
    await pair.close()


@pytest.mark.parametrize("server", [True, False], ids=["passive", "active"])
async def test_a_wrong_fingerprint_ends_it_with_close_notify(certificate, server):
    pair = await Association(certificate, server=server, fingerprint=WRONG).connect()
    assert pair.ended == ["dtls_failed"]
    assert not pair.contexts
    await eventually(lambda: pair.end.state == "closed")
    await pair.close()


async def test_a_client_without_a_common_profile_is_refused(certificate, monkeypatch):
    monkeypatch.setattr(dtls_transport, "PROFILES", {})
    pair = await Association(certificate).connect()
    assert pair.ended == ["dtls_failed"]
    assert not pair.contexts
    await pair.close()


async def test_a_handshake_has_a_time_limit(certificate, monkeypatch):
    monkeypatch.setattr(dtls_module, "HANDSHAKE_SECONDS", 0.02)
    pair = Association(certificate)
    pair.session.start([("sha-256", pair.fingerprint)], server=True)
    await eventually(lambda: pair.ended)
    assert pair.ended == ["dtls_timeout"]
    await pair.close()


async def test_the_time_limit_holds_while_junk_arrives(certificate, monkeypatch):
    monkeypatch.setattr(dtls_module, "HANDSHAKE_SECONDS", 0.05)
    pair = Association(certificate)
    pair.session.start([("sha-256", pair.fingerprint)], server=True)

    def feed():
        pair.session.receive(b"\x16" + bytes(30))
        return pair.ended

    await eventually(feed)
    assert pair.ended == ["dtls_timeout"]
    await pair.close()


async def test_a_lost_flight_of_ours_is_sent_again(certificate):
    # RFC 6347 section 4.2.4: whoever waits for a flight sends its own again, after a second.
    pair = Association(certificate, server=False)
    pair.lose_ours = 1
    await pair.connect()
    assert pair.contexts
    await pair.close()


async def test_a_lost_client_hello_is_sent_again(certificate):
    pair = Association(certificate)
    pair.lose_theirs = 1
    pair.start()
    assert pair.end.timeout() > 0
    await eventually(lambda: pair.end.timeout() == 0, 3)
    pair.end.retransmit()
    pair.flush()
    await eventually(lambda: pair.contexts)
    await pair.close()


@pytest.mark.parametrize("size", [0, LARGEST_RECORD + 1, 9000])
async def test_records_of_impossible_size_are_dropped(certificate, size):
    pair = Association(certificate)
    pair.session.receive(b"\x16" * size)
    pair.start()
    pair.session.receive(b"\x16" * size)
    await eventually(lambda: pair.contexts)
    pair.session.receive(b"\x16" * size)
    await eventually(lambda: pair.end.state == "connected")
    assert not pair.ended
    pair.end.say_goodbye()
    pair.flush()
    await eventually(lambda: pair.ended)
    assert pair.ended == ["closed_by_peer"]
    await pair.close()


async def test_junk_after_the_handshake_changes_nothing(certificate):
    pair = await Association(certificate).connect()
    for record in (b"\x14", b"\x15\xfe\xfd" + bytes(10) + b"\x02\x28", b"\x16" + bytes(200), b"\x17" * LARGEST_RECORD):
        pair.session.receive(record)
    pair.end.say_goodbye()
    pair.flush()
    await eventually(lambda: pair.ended)
    assert pair.ended == ["closed_by_peer"]
    assert pair.session.state == "closed"
    await pair.close()


async def test_records_that_nobody_reads_are_bounded(certificate):
    pair = Association(certificate)
    for _ in range(10 * QUEUED_RECORDS):
        pair.session.receive(b"\x16" + bytes(100))
    assert pair.session._ice._queue.qsize() == QUEUED_RECORDS
    await pair.close()


@pytest.mark.parametrize("error", [x509.InvalidVersion("7 is not a valid X509 version", 7), ValueError("not DER")])
async def test_a_certificate_that_cannot_be_read_ends_it(certificate, monkeypatch, error):
    def unreadable(*_):
        raise error

    monkeypatch.setattr(aiortc_dtls.RTCDtlsTransport, "_validate_peer_identity", unreadable)
    pair = await Association(certificate).connect()
    assert pair.ended == ["dtls_failed"]
    await pair.close()


async def test_a_mistake_of_whoever_is_told_of_the_keys_is_not_swallowed(certificate, quiet_loop):
    def mistaken(_):
        raise RuntimeError("mistaken")

    pair = Association(certificate)
    pair.session._connected = mistaken
    await pair.connect()
    assert pair.ended == ["dtls_failed"]
    await eventually(lambda: quiet_loop)
    assert str(quiet_loop.pop()["exception"]) == "mistaken"
    await pair.close()


async def test_whoever_waits_for_keys_is_told_before_the_peer_can_use_them(certificate):
    # A packet that comes with the next wake-up must find its SRTP session.
    pair = Association(certificate)
    told = []
    deliver = pair.session._ice._deliver
    pair.session._ice._deliver = lambda record: (
        deliver(record),
        asyncio.get_running_loop().call_soon(lambda: told.append(len(pair.contexts))),
    )
    await pair.connect()
    assert told[-1] == 1
    await pair.close()


async def test_an_error_while_reading_ends_it(certificate, monkeypatch):
    pair = await Association(certificate).connect()

    async def broken():
        raise RuntimeError("broken")

    monkeypatch.setattr(pair.session._transport, "_recv_next", broken)
    pair.session.receive(b"\x17" * 40)
    await eventually(lambda: pair.ended)
    assert pair.ended == ["dtls_failed"]
    await pair.close()


async def test_exhausted_retransmission_ends_it(certificate, monkeypatch):
    def exhausted(_):
        raise SSL.Error([("SSL routines", "", "read timeout expired")])

    monkeypatch.setattr(SSL.Connection, "DTLSv1_get_timeout", lambda _: 0.0)
    monkeypatch.setattr(SSL.Connection, "DTLSv1_handle_timeout", exhausted)
    pair = Association(certificate)
    pair.session.start([("sha-256", pair.fingerprint)], server=True)
    await eventually(lambda: pair.ended)
    assert pair.ended == ["dtls_failed"]
    await pair.close()


async def settled(certificate, **options):
    pair = await Association(certificate, **options).connect()
    pair.session.settle()
    return pair


@pytest.mark.parametrize("server", [True, False], ids=["passive", "active"])
async def test_a_settled_association_holds_no_ssl_object_and_reads_close_notify(certificate, server):
    pair = await settled(certificate, server=server)
    assert pair.session._transport is None
    assert pair.session.state == "connected"
    await pair.session.wait_closed()
    for record in (
        b"",
        b"\x15",
        ALERT,
        b"\x15\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x1a" + bytes(26),
        b"\x16" + bytes(60),
    ):
        pair.session.receive(record)
    assert not pair.ended
    pair.end.say_goodbye()
    pair.flush()
    assert pair.ended == ["closed_by_peer"]
    assert pair.session.state == "closed"
    await pair.close()


async def test_the_ssl_object_is_given_back_at_once(certificate):
    pair = await Association(certificate).connect()
    connection = weakref.ref(pair.session._transport._ssl)
    gc.disable()
    try:
        pair.session.settle()
        assert connection() is None
    finally:
        gc.enable()
    await pair.close()


@pytest.mark.parametrize("server", [True, False], ids=["passive", "active"])
async def test_a_settled_association_says_close_notify(certificate, server):
    pair = await settled(certificate, server=server)
    before = len(pair.sent)
    await pair.close()
    await pair.close()
    await eventually(lambda: pair.end.state == "closed")
    assert len(pair.sent) == before + 1
    assert not pair.ended


async def test_settling_twice_early_or_late_does_nothing(certificate):
    pair = Association(certificate)
    pair.session.settle()
    await pair.connect()
    pair.session.settle()
    pair.session.settle()
    assert len(pair.contexts) == 1
    await pair.close()
    pair.session.settle()
    assert pair.session.state == "closed"


async def test_what_waits_while_it_settles_is_not_lost(certificate):
    pair = await Association(certificate).connect()
    pair.end.say_goodbye()
    pair.flush()
    pair.session.settle()
    assert pair.ended == ["closed_by_peer"]
    await pair.close()


async def test_it_settles_by_itself_once_no_flight_can_be_asked_for(certificate, monkeypatch):
    monkeypatch.setattr(dtls_module, "SETTLE_SECONDS", 0.01)
    pair = await Association(certificate).connect()
    await eventually(lambda: pair.session._transport is None)
    await pair.close()
    assert not pair.ended


async def test_as_the_client_it_settles_at_once(certificate):
    # RFC 6347 section 4.2.4: the last flight is the server's.
    pair = await Association(certificate, server=False).connect()
    await eventually(lambda: pair.session._transport is None)
    await pair.close()


@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]
)
async def test_whatever_the_cipher_close_notify_is_understood(certificate, cipher):
    identity = Identity()
    identity.context(ALL_PROFILES).set_cipher_list(cipher.encode())
    pair = await settled(certificate, identity=identity)
    assert (pair.session._transport is None) is ("SHA256" in cipher or "POLY1305" in cipher)
    pair.end.say_goodbye()
    pair.flush()
    await eventually(lambda: pair.ended)
    assert pair.ended == ["closed_by_peer"]
    await pair.close()


async def test_another_version_of_dtls_keeps_its_ssl_object(certificate, monkeypatch):
    monkeypatch.setattr(SSL.Connection, "get_protocol_version_name", lambda _: "DTLSv1.3")
    pair = await settled(certificate)
    assert pair.session._transport is not None
    await pair.close()


async def test_a_session_that_was_closed_is_not_started(certificate):
    pair = Association(certificate)
    await pair.close()
    pair.session.start([("sha-256", pair.fingerprint)], server=True)
    assert len(asyncio.all_tasks()) <= 2
    assert not pair.sent


async def test_closing_says_close_notify_once(certificate):
    # RFC 5246 section 7.2.1.
    pair = await Association(certificate).connect()
    before = len(pair.sent)
    pair.session.close()
    pair.session.close()
    assert len(pair.sent) == before + 1
    await eventually(lambda: pair.end.state == "closed")
    await pair.session.wait_closed()
    assert not pair.ended


@pytest.mark.parametrize("stage", ["new", "waiting", "half"])
async def test_closing_at_any_moment_leaves_no_task(certificate, stage):
    pair = Association(certificate)
    if stage == "waiting":
        pair.session.start([("sha-256", pair.fingerprint)], server=True)
    elif stage == "half":
        pair.lose_ours = 1000
        pair.start()
        await eventually(lambda: pair.sent)
    before = asyncio.all_tasks()
    await pair.close()
    assert asyncio.all_tasks() <= before
    assert not pair.ended
    assert not pair.contexts


async def test_a_session_that_ended_is_freed(certificate):
    pair = await Association(certificate).connect()
    await pair.close()
    await asyncio.sleep(0)  # the close_notify on its way still holds the pair
    session = weakref.ref(pair.session)
    del pair
    gc.collect()
    assert session() is None


async def test_it_can_be_closed_while_it_says_that_it_is_connected(certificate):
    pair = Association(certificate)
    pair.session._connected = lambda _: pair.session.close()
    pair.start()
    await eventually(lambda: pair.end.state == "closed")
    await pair.session.wait_closed()
    assert not pair.ended


@settings(max_examples=40, deadline=None)
@given(records=st.lists(st.binary(min_size=0, max_size=1600), max_size=8))
def test_no_octets_get_past_the_session(certificate, records):
    async def attack():
        reports = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        pair = Association(certificate)
        for record in records[::2]:
            pair.session.receive(b"\x16" + record)
        pair.start()
        for record in records:
            pair.session.receive(record and bytes([20 + record[0] % 44]) + record[1:])
        await eventually(lambda: pair.ended or pair.end.state == "connected")
        await pair.close()
        assert not reports

    asyncio.run(attack())


def test_all_handshakes_share_one_ssl_context(certificate):
    one = certificate._create_ssl_context(aiortc_dtls.SRTP_PROFILES)
    assert certificate._create_ssl_context(aiortc_dtls.SRTP_PROFILES) is one
    assert Certificate()._create_ssl_context(aiortc_dtls.SRTP_PROFILES) is not one


def test_the_fingerprint_is_that_of_the_certificate(certificate):
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", certificate.fingerprint)
    assert Identity().fingerprint != certificate.fingerprint


def test_the_names_of_aiortc_that_are_used_are_still_there():
    transport = aiortc_dtls.RTCDtlsTransport
    assert inspect.iscoroutinefunction(transport.start)
    assert list(inspect.signature(transport.start).parameters) == ["self", "remoteParameters"]
    assert list(inspect.signature(transport._set_role).parameters) == ["self", "role"]
    assert list(inspect.signature(transport._set_state).parameters) == ["self", "state"]
    assert list(inspect.signature(transport._setup_srtp).parameters) == ["self"]
    assert list(inspect.signature(aiortc_dtls.RTCCertificate._create_ssl_context).parameters) == [
        "self",
        "srtp_profiles",
    ]
    assert {state.name for state in aiortc_dtls.State} == {"NEW", "CONNECTING", "CONNECTED", "CLOSED", "FAILED"}
    source = inspect.getsource(transport)
    for used in ("self._ssl = SSL.Connection(", "self._task = asyncio", "self.transport._recv()", "transport._send("):
        assert used in source
    assert "_role" in source


def test_no_other_private_name_of_aiortc_is_used():
    used = set(re.findall(r"transport\.(_[a-z]\w*)|def (_create_ssl_context|_setup_srtp)|self\.(_set_\w+)\(", SOURCE))
    names = {"".join(groups) for groups in used}
    assert names == {"_create_ssl_context", "_set_role", "_set_state", "_setup_srtp", "_role", "_ssl", "_task"}


async def test_the_first_handshake_imports_aiortc_beside_the_loop(certificate, monkeypatch):
    monkeypatch.delitem(sys.modules, dtls_transport.__name__)
    first, second = Association(certificate), Association(certificate)
    first.start()
    second.start()
    await eventually(lambda: first.contexts and second.contexts)
    for pair in (first, second):
        await pair.close()


async def test_without_aiortc_a_handshake_fails_and_says_why(certificate, monkeypatch, quiet_loop):
    monkeypatch.setitem(sys.modules, dtls_transport.__name__, None)
    pair = Association(certificate)
    pair.start()
    await eventually(lambda: pair.ended)
    assert pair.ended == ["dtls_failed"]
    problem = quiet_loop.pop()["exception"]
    assert isinstance(problem, DtlsUnavailable)
    assert isinstance(problem.__cause__, ImportError)
    assert "install this server again" in str(problem)
    await pair.close()


async def test_an_import_that_raises_anything_fails_each_handshake_at_once(certificate, monkeypatch, quiet_loop):
    def broken(_):
        raise AttributeError("module 'av' has no attribute 'logging'")

    monkeypatch.delitem(sys.modules, dtls_transport.__name__)
    monkeypatch.setattr(dtls_module, "import_module", broken)
    pairs = [await Association(certificate).connect() for _ in range(2)]
    assert [pair.ended for pair in pairs] == [["dtls_failed"]] * 2
    for pair in pairs:
        await pair.close()
    first, second = (report["exception"] for report in quiet_loop)
    quiet_loop.clear()
    assert first is not second
    assert first.__cause__ is second.__cause__
    assert "no attribute 'logging'" in str(second)


async def test_a_handshake_that_is_closed_leaves_its_import_to_be_awaited(certificate, monkeypatch):
    release = threading.Event()
    monkeypatch.delitem(sys.modules, dtls_transport.__name__)
    monkeypatch.setattr(dtls_module, "import_module", lambda _: release.wait(10))
    pair = Association(certificate)
    pair.start()
    await eventually(lambda: any(thread.name.startswith(IMPORTER) for thread in threading.enumerate()))
    await pair.close()
    ending = asyncio.create_task(import_ended())
    await asyncio.sleep(0)
    assert not ending.done()
    release.set()
    await ending
    await eventually(lambda: not any(thread.name.startswith(IMPORTER) for thread in threading.enumerate()))
    assert not pair.ended


async def test_a_failed_handshake_is_said_with_an_alert(certificate):
    # RFC 5246 section 7.2.2.
    identity = Identity()
    identity.context(ALL_PROFILES).set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    pair = await Association(certificate, identity=identity).connect()
    assert pair.ended == ["dtls_failed"]
    assert pair.sent[-1][0] == dtls_alert.ALERT
    assert pair.sent[-1][13] == dtls_alert.FATAL
    await pair.close()
