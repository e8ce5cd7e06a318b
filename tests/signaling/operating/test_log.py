import asyncio
import io
import json
import logging

import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from signaling.operating.log import REDACTED, OneLineASecond, configure, escape_control, remove_secrets


@pytest.fixture
def lines():
    """Configure logging into memory; a call gives what was written so far as objects."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("debug", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_its_context(lines):
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger("signaling.test").info("joined", participant_id="p1", note="a\nb")
    (line,) = lines()
    assert line["event"] == "joined"
    assert line["request_id"] == "r1"
    assert line["note"] == "a\nb"
    assert line["level"] == "info"
    assert line["logger"] == "signaling.test"
    assert line["timestamp"].endswith("Z")


def test_the_standard_library_goes_the_same_way(lines):
    logging.getLogger("aiohttp.server").error("it %s: v=0\r\na=ice-pwd:abc", "broke")
    (line,) = lines()
    assert line["event"] == f"it broke: {REDACTED}"
    assert line["logger"] == "aiohttp.server"


def test_exceptions_are_in_the_line_without_secrets(lines):
    try:
        int("bad token eyJhbGciOi.eyJzdWIiOi.c2ln")
    except ValueError:
        structlog.get_logger("t").exception("failed")
    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert "eyJ" not in line["exception"]


def test_chatty_libraries_and_lower_levels_are_quiet(lines):
    logging.getLogger("aioice.ice").info("chat")
    logging.getLogger().setLevel(logging.INFO)
    structlog.get_logger("t").debug("fine detail")
    assert lines() == []


def test_one_line_a_second_for_each_event_and_source(lines):
    for _ in range(100):
        structlog.get_logger("t").warning("bad_message", participant_id="p1")
        structlog.get_logger("t").warning("bad_message", participant_id="p2")
    assert [line["participant_id"] for line in lines()] == ["p1", "p2"]


def test_the_trail_of_acts_is_never_thinned(lines):
    for _ in range(5):
        structlog.get_logger("t").info("audit", room_id="r1")
    assert len(lines()) == 5


def test_what_was_held_back_is_said_later():
    now = [0.0]
    sieve = OneLineASecond(lambda: now[0])
    event = {"event": "e", "address": "a"}
    assert "held_back" not in sieve(None, "info", dict(event))
    for _ in range(3):
        with pytest.raises(structlog.DropEvent):
            sieve(None, "info", dict(event))
    now[0] = 1.0
    assert sieve(None, "info", dict(event))["held_back"] == 3
    now[0] = 2.5
    assert "held_back" not in sieve(None, "info", dict(event))


def test_sources_in_memory_are_bounded():
    sieve = OneLineASecond(lambda: 0.0)
    for number in range(3000):
        sieve(None, "info", {"event": "e", "address": str(number)})
    assert len(sieve._seen) == 1024


@pytest.mark.parametrize("key", ["sdp", "token", "Authorization", "ice_pwd", "room_password", "turn-credential", "jwt"])
def test_values_of_secret_keys_are_removed(key):
    assert remove_secrets(None, "", {"event": "e", key: "x"})[key] == REDACTED
    assert remove_secrets(None, "", {"event": "e", "in": {key: "x"}})["in"][key] == REDACTED


def test_tokens_and_sdp_in_any_text_are_removed():
    event = {
        "event": "e",
        "list": ["see eyJhbGciOi.eyJzdWIiOi.c2ln here", 5],
        "text": "offer v=0\r\no=- 1 1 IN IP4 0.0.0.0",
        "harmless": "tokens",
    }
    cleaned = remove_secrets(None, "", event)
    assert cleaned["list"] == [f"see {REDACTED} here", 5]
    assert cleaned["text"] == f"offer {REDACTED}"
    assert cleaned["harmless"] == "tokens"


def test_no_value_starts_a_line_of_its_own_on_a_terminal():
    assert escape_control(None, "", {"event": "a\nb\x1b[31m", "n": 1})["event"] == "a\\nb\\x1b[31m"


def test_lines_for_people():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        configure("info", "console", stream)
        structlog.get_logger("t").info("started", port=8080)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    assert "started" in stream.getvalue()
    assert "port=8080" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_stream_that_nobody_reads_stops_nothing(lines):
    handler = logging.getLogger().handlers[0]
    stream, handler.stream = handler.stream, io.StringIO()
    handler.stream.close()
    structlog.get_logger("t").info("into nothing")
    handler.stream = stream
    assert handler.lost == 1
    assert lines() == []


def test_what_is_no_http_is_a_clients_mistake_and_not_repeated(lines):
    for error in (BadHttpMessage("Invalid header: parley_secret"), ValueError("ours")):
        logging.getLogger("aiohttp.server").error("Error handling request from %s", "192.0.2.1", exc_info=error)
    theirs, ours = lines()
    assert (theirs["event"], theirs["level"], theirs["reason"]) == ("not_http", "info", "BadHttpMessage")
    assert "parley_secret" not in str(theirs)
    assert (ours["level"], "ValueError: ours" in ours["exception"]) == ("error", True)


async def test_what_the_event_loop_reports_is_logged(lines):
    asyncio.get_running_loop().default_exception_handler({"message": "something", "exception": ValueError("x")})
    assert lines()[0]["logger"] == "asyncio"
