import errno
import socket

import pytest

from signaling.errors import PortTaken, Refusal
from signaling.operating import listening
from signaling.operating.listening import bind_http, close_all, media_refusal


def test_all_hosts_share_the_free_port_of_the_first():
    sockets = bind_http(("127.0.0.1", "127.0.0.2"), 0)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert {one.getsockname()[0] for one in sockets} == {"127.0.0.1", "127.0.0.2"}
    finally:
        close_all(sockets)


def test_a_taken_port_is_named_with_how_to_find_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            bind_http(("127.0.0.1",), port)
    assert str(port) in caught.value.what
    assert f"ss -ltnp 'sport = :{port}'" in caught.value.remedy


def failing(monkeypatch, number, only=""):
    real = listening._bind

    def bind(host, port):
        if not only or host == only:
            raise OSError(number, "no")
        return real(host, port)

    monkeypatch.setattr(listening, "_bind", bind)


def test_a_machine_without_ipv6_is_served_on_ipv4(monkeypatch):
    failing(monkeypatch, errno.EADDRNOTAVAIL, only="::1")
    sockets = bind_http(("127.0.0.1", "::1"), 0)
    assert len(sockets) == 1
    close_all(sockets)


def test_a_port_below_1024_needs_a_right(monkeypatch):
    failing(monkeypatch, errno.EACCES)
    with pytest.raises(PortTaken, match="1024"):
        bind_http(("127.0.0.1",), 80)


def test_any_other_reason_is_said_as_it_is(monkeypatch):
    failing(monkeypatch, errno.EADDRNOTAVAIL)
    with pytest.raises(Refusal) as caught:
        bind_http(("192.0.2.1",), 80)
    assert "ip address" in caught.value.remedy


def test_a_name_that_is_unknown_is_a_refusal():
    with pytest.raises(Refusal):
        bind_http(("no-such-host.invalid",), 0)


def test_the_media_port_has_words_of_its_own():
    assert "--media-port" in media_refusal(7882, "taken").remedy
