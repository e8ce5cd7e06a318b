import ast
from pathlib import Path
from types import SimpleNamespace

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, _binding

import sfu
from sfu.errors import PeerMistake, SrtpFailure
from sfu.rtcp import ReceiverReport
from sfu.rtcp_build import build as build_rtcp
from sfu.rtp import RtpPacket, build
from sfu.srtp import (
    PROFILES,
    REPLAY_WINDOW,
    RESTING_SSRCS,
    STATUS_OK,
    SrtpContext,
    derive_keys,
    protect_in_place,
)
from tests.support.ears import srtp_contexts

each_profile = pytest.mark.parametrize("name", PROFILES)

FUNCTIONS = {
    "srtp_create",
    "srtp_dealloc",
    "srtp_protect",
    "srtp_protect_rtcp",
    "srtp_remove_stream",
    "srtp_unprotect",
    "srtp_unprotect_rtcp",
}
"""All of `pylibsrtp._binding.lib` that the SFU uses."""

MEMORY = {"buffer", "cast", "gc", "memmove", "new"}
"""All of `pylibsrtp._binding.ffi` that the SFU uses."""


def packet(sequence=1, ssrc=7, payload=b"opus"):
    return build(RtpPacket(111, sequence, 960 * sequence, ssrc, payload))


def used_names():
    """(object, attribute) for each use of pylibsrtp's binding in the SFU's sources."""
    for path in Path(sfu.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        imported = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "pylibsrtp._binding"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
                yield imported[node.value.id], node.attr


# -- the contract with pylibsrtp ------------------------------------------------------------------------------------


def test_the_names_that_we_use_of_pylibsrtp_s_binding_are_these_and_are_there():
    assert set(used_names()) == {("lib", name) for name in FUNCTIONS} | {("ffi", name) for name in MEMORY}
    assert all(callable(getattr(_binding.lib, name)) for name in FUNCTIONS)
    assert all(callable(getattr(_binding.ffi, name)) for name in MEMORY)


def test_a_policy_has_the_structure_and_the_switches_that_we_set():
    policy = Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND)
    assert _binding.ffi.typeof(policy._policy) == _binding.ffi.typeof("struct srtp_policy_t *")
    policy.allow_repeat_tx = False
    policy.window_size = REPLAY_WINDOW
    assert policy._policy.allow_repeat_tx == 0
    assert policy._policy.window_size == REPLAY_WINDOW
    assert Policy.SSRC_ANY_INBOUND != Policy.SSRC_ANY_OUTBOUND


@each_profile
def test_rfc5764_4_1_2_rfc7714_14_2_lengths_are_pylibsrtp_s_own(name):
    profile = PROFILES[name]
    Policy(key=bytes(profile.key_length + profile.salt_length), srtp_profile=profile.libsrtp_profile)
    with pytest.raises(ValueError, match="at least"):
        Policy(key=bytes(profile.key_length + profile.salt_length - 1), srtp_profile=profile.libsrtp_profile)
    protected = srtp_contexts(name)[0].protect(packet())
    assert len(protected) == len(packet()) + profile.tag_length


def test_status_codes_are_libsrtp_s():
    assert STATUS_OK == 0
    words = [pylibsrtp.ERRORS[status] for status in SrtpFailure.REPLAYED]
    assert words == ["replay check failed (bad index)", "replay check failed (index too old)"]


# -- sessions -------------------------------------------------------------------------------------------------------


@each_profile
def test_rfc3711_packets_go_both_ways(name):
    server, client = srtp_contexts(name)
    report = build_rtcp(ReceiverReport(7))
    for sender, receiver in ((server, client), (client, server)):
        protected = sender.protect(packet())
        assert protected != packet()
        assert b"opus" not in protected
        assert receiver.unprotect(protected) == packet()
        assert receiver.unprotect_rtcp(sender.protect_rtcp(report)) == report


@each_profile
def test_rfc3711_3_3_2_a_packet_is_taken_once(name):
    server, client = srtp_contexts(name)
    protected = server.protect(packet())
    client.unprotect(protected)
    with pytest.raises(SrtpFailure) as refused:
        client.unprotect(protected)
    assert refused.value.replayed
    report = server.protect_rtcp(build_rtcp(ReceiverReport(7)))
    client.unprotect_rtcp(report)
    with pytest.raises(SrtpFailure) as refused:
        client.unprotect_rtcp(report)
    assert refused.value.replayed


@each_profile
def test_rfc7714_8_3_a_sequence_number_is_never_sent_twice(name):
    server, _ = srtp_contexts(name)
    server.protect(packet(5))
    with pytest.raises(SrtpFailure) as refused:
        server.protect(packet(5, payload=b"other"))
    assert refused.value.replayed
    server.protect(packet(4))


def test_the_window_takes_what_is_late_and_refuses_what_is_too_late():
    server, client = srtp_contexts()
    early = [server.protect(packet(sequence)) for sequence in range(1, 2 * REPLAY_WINDOW)]
    client.unprotect(early[-1])
    assert client.unprotect(early[-REPLAY_WINDOW + 1])
    with pytest.raises(SrtpFailure) as refused:
        client.unprotect(early[-REPLAY_WINDOW - 1])
    assert refused.value.replayed


@each_profile
def test_what_was_changed_on_the_way_is_refused_and_is_no_replay(name):
    server, client = srtp_contexts(name)
    protected = bytearray(server.protect(packet()))
    protected[-1] ^= 1
    with pytest.raises(SrtpFailure) as refused:
        client.unprotect(bytes(protected))
    assert not refused.value.replayed
    assert isinstance(refused.value, PeerMistake)
    assert (refused.value.code, str(refused.value)) == ("srtp_refused", f"libsrtp status {refused.value.status}")
    # It has not spoiled the true one.
    protected[-1] ^= 1
    assert client.unprotect(bytes(protected)) == packet()


@given(st.binary(max_size=120))
def test_no_octets_raise_anything_but_srtp_failure(octets):
    for name in PROFILES:
        server, _ = srtp_contexts(name)
        for take in (server.unprotect, server.unprotect_rtcp):
            with pytest.raises(SrtpFailure):
                take(b"\x80\xc8" + octets)
            with pytest.raises(SrtpFailure):
                take(octets)


def test_forget_gives_back_the_state_of_one_ssrc():
    server, client = srtp_contexts()
    first, other = server.protect(packet(ssrc=0x01020304)), server.protect(packet(ssrc=0x04030201))
    client.unprotect(first)
    client.unprotect(other)
    client.forget(0x01020304)
    assert client.unprotect(first) == packet(ssrc=0x01020304)
    with pytest.raises(SrtpFailure):
        client.unprotect(other)
    client.forget(0x7FFFFFFF)


def test_what_rests_is_safe_from_replays_for_a_while():
    # RFC 3711 section 3.3.2. A sender of ever new SSRCs does not make libsrtp's list longer and longer.
    server, client = srtp_contexts()
    sent = [server.protect(packet(ssrc=1000 + number)) for number in range(RESTING_SSRCS + 1)]
    for number, one in enumerate(sent):
        client.unprotect(one)
        client.rest(1000 + number)
    assert client.unprotect(sent[0]) == packet(ssrc=1000)
    with pytest.raises(SrtpFailure):
        client.unprotect(sent[1])


def test_what_is_awake_is_never_forgotten():
    server, client = srtp_contexts()
    first = server.protect(packet(ssrc=7))
    client.unprotect(first)
    client.rest(7)
    client.wake(7)
    client.wake(8)
    for number in range(2 * RESTING_SSRCS):
        client.rest(1000 + number)
    with pytest.raises(SrtpFailure):
        client.unprotect(first)


def test_an_ssrc_at_rest_is_kept_until_too_many_are():
    server, client = srtp_contexts()
    packets = {ssrc: server.protect(packet(ssrc=ssrc)) for ssrc in range(RESTING_SSRCS + 2)}
    for ssrc, protected in packets.items():
        client.unprotect(protected)
        client.rest(ssrc)
        client.rest(0)
        if ssrc == 1:
            client.wake(1)
    client.wake(4711)
    # 0 rested last, 1 is awake, 2 has rested longest.
    assert client.unprotect(packets[2])
    for ssrc in (0, 1, 3, RESTING_SSRCS + 1):
        with pytest.raises(SrtpFailure):
            client.unprotect(packets[ssrc])


def test_a_session_that_libsrtp_does_not_make_is_an_error(monkeypatch):
    monkeypatch.setattr("sfu.srtp.lib", SimpleNamespace(srtp_create=lambda *_: 3))
    with pytest.raises(SrtpFailure, match="status 3"):
        SrtpContext(PROFILES["SRTP_AES128_CM_SHA1_80"], bytes(30), bytes(30))


def test_in_place_protection_is_the_same():
    server, client = srtp_contexts()
    room = bytearray(packet() + bytes(64))
    length = _binding.ffi.new("int *", len(packet()))
    assert protect_in_place(server.outbound, _binding.ffi.from_buffer(room), length) == STATUS_OK
    assert client.unprotect(bytes(room[: length[0]])) == packet()


# -- keys -----------------------------------------------------------------------------------------------------------


@each_profile
def test_rfc5764_4_2_client_key_server_key_client_salt_server_salt(name):
    profile = PROFILES[name]
    client_key, server_key = b"C" * profile.key_length, b"S" * profile.key_length
    client_salt, server_salt = b"c" * profile.salt_length, b"s" * profile.salt_length
    material = client_key + server_key + client_salt + server_salt
    client, ours = client_key + client_salt, server_key + server_salt
    assert derive_keys(material, profile, server=True) == (ours, client)
    assert derive_keys(material, profile, server=False) == (client, ours)
