"""Frames as `bench.signaling` writes and reads them, held to aiohttp's own (RFC 6455 section 5.2)."""

import json
import socket
import struct
import time

import pytest

from bench import sockets
from bench.sockets import PING, Client, frame, split

SIZES = [0, 1, 125, 126, 127, 255, 256, 65_535]


def unmasked(text: bytes) -> bytes:
    """One text frame as a server sends it."""
    size = len(text)
    return (struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)) + text


@pytest.mark.parametrize("size", SIZES)
def test_rfc_6455_section_5_2_a_frame_says_its_length_and_is_masked(size: int) -> None:
    made = frame(b"x" * size)
    assert made[0] == 0x81
    assert made[1] & 0x80
    short = made[1] & 0x7F
    assert short == min(126, size)
    length, begin = (short, 2) if short < 126 else (int.from_bytes(made[2:4], "big"), 4)
    assert length == size
    mask, masked = made[begin : begin + 4], made[begin + 4 :]
    assert bytes(octet ^ mask[index % 4] for index, octet in enumerate(masked)) == b"x" * size


@pytest.mark.parametrize("size", SIZES)
def test_whole_frames_are_taken_and_a_part_waits_for_its_rest(size: int) -> None:
    whole = unmasked(b"a" * size) + unmasked(b"second")
    for cut in {0, 1, 2, 3, len(whole) - 7, len(whole) - 1}:
        data = bytearray(whole[:cut])
        found = split(data)
        data += whole[cut:]
        assert found + split(data) == [b"a" * size, b"second"]
        assert data == b""


def test_a_close_frame_is_an_error_that_tells_its_reason() -> None:
    with pytest.raises(ConnectionError, match="too many"):
        split(bytearray(struct.pack("!BBH", 0x88, 10, 1008) + b"too many"))


def a_client() -> tuple[Client, socket.socket]:
    """A client whose server is the other end of a pair of sockets."""
    ours, theirs = socket.socketpair()
    client = Client.__new__(Client)
    client.socket, client.data, client.id, client.turn = ours, bytearray(), "", 0
    client.sent_at, client.requests = 0.0, [frame(PING)]
    return client, theirs


def test_a_client_asks_by_turns_and_counts_its_own_answers_only() -> None:
    client, server = a_client()
    with client.socket, server:
        client.talk_to("p2")
        client.ask(1.0)
        client.ask(2.0)
        assert client.sent_at == 2.0
        sent = server.recv(1 << 16)
        assert sent.startswith(frame(PING))
        # Its mask is zero: the text stands there as it is.
        second = json.loads(sent[sent.index(b'{"type": "message"') :])
        assert second["payload"]["to"] == "p2"
        server.sendall(unmasked(b'{"type":"pong","id":1,"payload":{}}') + unmasked(b'{"type":"message","payload":{}}'))
        assert sockets._answers(client) == 1


def test_a_client_waits_for_what_it_wants_and_is_told_of_a_refusal() -> None:
    client, server = a_client()
    with client.socket, server:
        joined = b'{"type":"joined","payload":{"participant":{"id":"p1"}}}'
        server.sendall(unmasked(b'{"type":"participants","payload":{}}') + unmasked(joined))
        client.join("den")
        assert client.id == "p1"
        assert b'"room": "den"' in server.recv(1 << 16)
        server.sendall(unmasked(b'{"type":"error","payload":{"code":"room_full"}}'))
        with pytest.raises(ConnectionError, match="room_full"):
            client.wait_for("joined")
        server.close()
        with pytest.raises(ConnectionError, match="closed"):
            client.receive()


def test_a_pace_gives_a_time_for_each_request() -> None:
    client, server = a_client()
    with client.socket, server, sockets.selectors.EpollSelector() as selector:
        selector.register(client.socket, sockets.selectors.EVENT_READ, client)
        server.sendall(unmasked(PING))
        began = time.perf_counter()
        took = sockets._pace(selector, [client], seconds=0.001, rate=1000.0)
        assert len(took) == 1
        assert 0 <= took[0] <= time.perf_counter() - began
