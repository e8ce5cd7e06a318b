import asyncio
import errno
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
import standardwebhooks

from signaling.errors import ClientMistake
from signaling.webhooks import sender as module
from signaling.webhooks.sender import Sender
from signaling.webhooks.signing import new_secret
from tests.signaling.storage.samples import seeded
from tests.signaling.webhooks.receiver import receiver_thread
from tests.support.patience import PATIENCE

SECRET = new_secret(seeded())
MESSAGE = ("one", b'{"type": "room.created"}')


async def send(url, *, allow_private=True, seconds=20.0, timestamp=0):
    async with Sender(seconds=seconds, allow_private=allow_private) as sender:
        return await sender.send(url, (SECRET,), MESSAGE, timestamp)


@asynccontextmanager
async def answering(*parts, hold=False):
    """A server that answers each connection with these bytes, and then closes it, or keeps it open."""
    asked, ended = [], asyncio.Event()

    async def serve(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if hold:
                await ended.wait()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", asked
        ended.set()


async def test_a_receiver_can_verify_what_it_gets():
    from signaling.clock import SYSTEM_CLOCK

    with receiver_thread() as receiver:
        outcome = await send(receiver.url, timestamp=int(SYSTEM_CLOCK.utc().timestamp()))
        assert (outcome.result, outcome.status) == ("delivered", 204)
        (got,) = receiver.requests
    assert standardwebhooks.Webhook(SECRET).verify(got.body, got.headers) == {"type": "room.created"}
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Parley/")
    assert got.headers["webhook-id"] == "one"


@pytest.mark.parametrize(("status", "result"), [(500, "failed"), (410, "gone"), (302, "failed"), (307, "failed")])
async def test_what_a_receiver_answers_and_where_to_is_not_followed(status, result):
    with receiver_thread(answer=lambda _event: status) as receiver:
        outcome = await send(receiver.url)
        assert (outcome.result, outcome.status, len(receiver.requests)) == (result, status, 1)


async def test_an_endless_body_is_not_read():
    endless = b"x" * 65_536
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    async with answering(head, *([endless] * 4000)) as (url, _):
        assert (await send(url)).result == "delivered"


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 100_000 + b"\r\n\r\n"]
)
async def test_what_is_no_answer_fails(answer):
    async with answering(answer) as (url, _):
        outcome = await send(url)
    assert (outcome.result, outcome.status) == ("failed", None)
    assert outcome.detail


async def test_who_does_not_answer_in_time_fails():
    async with answering(hold=True) as (url, asked):
        outcome = await send(url, seconds=0.2)
        assert len(asked) == 1
    assert (outcome.result, outcome.detail) == ("failed", "no answer within 0.2 s")


async def test_who_is_not_there_fails(free_tcp_port):
    outcome = await send(f"http://127.0.0.1:{free_tcp_port()}/")
    assert outcome.result == "failed"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "[fe80::1]", "2130706433"]
)
async def test_a_private_target_is_refused_unless_allowed(host):
    for scheme in ("https", "http"):
        assert (await send(f"{scheme}://{host}/", allow_private=False)).result == "refused"


async def test_a_name_that_leads_to_a_private_address_is_refused_at_each_attempt_and_before():
    with receiver_thread() as receiver:
        url = f"https://localhost:{receiver.port}/"
        outcome = await send(url, allow_private=False)
        assert (outcome.result, "not public" in outcome.detail) == ("refused", True)
        async with Sender(seconds=5, allow_private=False) as sender:
            with pytest.raises(ClientMistake, match="not public"):
                await sender.check(url)
        async with Sender(seconds=5, allow_private=True) as sender:
            await sender.check(url)
        assert receiver.requests == []
        assert (await send(f"http://localhost:{receiver.port}/")).result == "delivered"


async def test_a_name_that_changes_its_mind_does_not_get_in(monkeypatch):
    """What resolves to a public address while it is checked, and to this machine when it is connected to."""
    loop, answers = asyncio.get_running_loop(), ["8.8.8.8", "127.0.0.1"]

    async def lookup(_host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    with receiver_thread() as receiver:
        url = f"https://rebinding.example:{receiver.port}/"
        async with Sender(seconds=20, allow_private=False) as sender:
            await sender.check(url)
            outcome = await sender.send(url, (SECRET,), MESSAGE, 0)
        assert (outcome.result, answers, receiver.started) == ("refused", [], 0)


async def test_plain_http_never_goes_to_a_public_address(monkeypatch):
    async def lookup(_host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
    outcome = await send("http://public.example/")
    assert (outcome.result, outcome.detail) == ("refused", "plain http to a public address")


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:7f00:1]", "localhost"])
async def test_the_socket_is_refused_however_the_host_is_spelled(host):
    """The check of the URL left out: the one at the socket stands by itself."""
    with receiver_thread() as receiver:
        async with Sender(seconds=5, allow_private=False) as sender:
            with pytest.raises(aiohttp.ClientError) as caught:
                await sender._sessions["http"].get(f"http://{host}:{receiver.port}/")
        # aiohttp itself takes no numbers but four decimal ones.
        assert isinstance(caught.value, aiohttp.InvalidURL) or caught.value.os_error.errno == errno.EACCES
        assert receiver.started == 0


async def test_a_name_whose_look_up_takes_too_long_holds_nobody_up(monkeypatch):
    async def never(*_args, **_named):
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.01)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    async with Sender(seconds=0.05, allow_private=False) as sender:
        async with asyncio.timeout(PATIENCE):
            await sender.check("https://slow.example/")
            outcome = await sender.send("https://slow.example/", (SECRET,), MESSAGE, 0)
    assert outcome.result == "failed"


async def test_a_name_that_does_not_resolve_passes_the_check_and_fails_at_the_attempt(monkeypatch):
    async def nobody(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    async with Sender(seconds=5, allow_private=False) as sender:
        await sender.check("https://nowhere.example/")
        outcome = await sender.send("https://nowhere.example/", (SECRET,), MESSAGE, 0)
    assert (outcome.result, outcome.status) == ("failed", None)
