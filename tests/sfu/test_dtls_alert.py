from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from bench.peer_dtls import Identity
from sfu.dtls_alert import AlertKeys, alert_keys, ends_association

GCM, CHACHA = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"
both_ciphers = pytest.mark.parametrize("cipher", [GCM, CHACHA])


def association(cipher):
    """Two OpenSSL ends after their handshake: (client, server)."""
    identity = Identity()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_certificate(identity.certificate)
    context.use_privatekey(identity.key)
    context.set_cipher_list(cipher.encode())
    client, server = SSL.Connection(context), SSL.Connection(context)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(6):
        for end, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                end.do_handshake()
            flush(end, other)
    return client, server


def flush(end, other):
    while True:
        try:
            other.bio_write(end.bio_read(65_536))
        except SSL.WantReadError:
            return


def keys_of(connection, *, server):
    return alert_keys(
        connection.get_cipher_name(),
        connection.master_key(),
        connection.client_random(),
        connection.server_random(),
        server=server,
    )


def goodbye(connection):
    connection.shutdown()
    return connection.bio_read(1500)


@both_ciphers
def test_close_notify_of_either_end_is_understood(cipher):
    # RFC 5246 sections 6.3 and 7.2.1; RFC 5288 and RFC 7905 for the nonces.
    client, server = association(cipher)
    for reader, writer, is_server in ((server, client, True), (client, server, False)):
        keys = keys_of(reader, server=is_server)
        record = goodbye(writer)
        assert ends_association(record, keys)
        assert not ends_association(record, keys_of(reader, server=not is_server))


@both_ciphers
def test_it_is_found_behind_other_records(cipher):
    # RFC 6347 section 4.1.1: several records may be in one datagram.
    client, server = association(cipher)
    client.send(b"something")
    datagram = client.bio_read(1500) + goodbye(client)
    assert ends_association(datagram, keys_of(server, server=True))


@both_ciphers
def test_a_changed_octet_makes_it_nothing(cipher):
    client, server = association(cipher)
    keys, record = keys_of(server, server=True), goodbye(client)
    for at in range(len(record)):
        changed = bytearray(record)
        changed[at] ^= 0x01
        assert not ends_association(bytes(changed), keys)
        assert not ends_association(record[:at], keys)


@both_ciphers
def test_application_data_ends_nothing(cipher):
    client, server = association(cipher)
    client.send(b"\x02\x00")
    assert not ends_association(client.bio_read(1500), keys_of(server, server=True))


def test_other_ciphers_are_not_known():
    assert alert_keys("ECDHE-ECDSA-AES256-SHA", bytes(48), bytes(32), bytes(32), server=True) is None


@both_ciphers
@given(st.binary(max_size=120))
def test_no_octets_raise(cipher, octets):
    keys = alert_keys(cipher, bytes(48), bytes(32), bytes(32), server=True)
    assert isinstance(keys, AlertKeys)
    assert not ends_association(octets, keys)
    assert not ends_association(b"\x15" + octets, keys)
    header = b"\x15\xfe\xfd" + bytes(8)
    assert not ends_association(header + len(octets).to_bytes(2, "big") + octets, keys)


def test_keys_are_never_printed():
    assert "key" not in repr(alert_keys(GCM, bytes(48), bytes(32), bytes(32), server=True)).replace("AlertKeys", "")
