"""The manual says what the code does: every message, error code, limit and diagram of docs/protocol.md."""

import re
from pathlib import Path

import orjson
import pytest
from pydantic import TypeAdapter

from signaling.call.settings import CallSettings
from signaling.errors import ERRORS
from signaling.protocol.client_messages import CLIENT_MESSAGES, parse_client_message
from signaling.protocol.server_messages import SERVER_MESSAGES
from signaling.protocol.session import MOST_MESSAGES
from signaling.protocol.states import PARTICIPANT, SESSION, mermaid

MANUAL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
CLIENT_PART, SERVER_PART = (
    MANUAL.split("## What a client sends")[1].split("## States")[0].split("## What the server sends")
)
EXAMPLES = [orjson.loads(text) for text in re.findall(r"```json\n(.*?)\n```", MANUAL, re.DOTALL)]
SINGLE = {
    "unmute": "mute",
    "deafen": "mute",
    "undeafen": "mute",
    "unhold": "hold",
    "participant-updated": "participant-joined",
}


def headings(part: str) -> set[str]:
    return {name for line in re.findall(r"^### (.*)$", part, re.MULTILINE) for name in re.findall(r"`([a-z-]+)`", line)}


def test_every_message_has_its_place() -> None:
    assert headings(CLIENT_PART) == CLIENT_MESSAGES.keys()
    assert headings(SERVER_PART) == SERVER_MESSAGES.keys()


def test_every_message_has_an_example_that_is_right() -> None:
    sent = [example for example in EXAMPLES if "seq" not in example]
    received = [example for example in EXAMPLES if "seq" in example]
    for example in sent:
        assert parse_client_message(orjson.dumps(example)).type == example["type"]
    for example in received:
        TypeAdapter(SERVER_MESSAGES[example["type"]]).validate_python(example["payload"])
    assert {example["type"] for example in sent} == CLIENT_MESSAGES.keys() - SINGLE.keys()
    assert {example["type"] for example in received} == SERVER_MESSAGES.keys() - SINGLE.keys()


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_code_is_in_the_table_as_it_is(code: str) -> None:
    row = ERRORS[code]
    assert f"| `{code}` | {row.status} | {row.close_code or '-'} | {row.sentence} |" in MANUAL


def test_no_error_code_is_in_the_table_that_is_none() -> None:
    table = MANUAL.split("| code | HTTP status |")[1]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == ERRORS.keys()


@pytest.mark.parametrize("table", [SESSION, PARTICIPANT])
def test_the_diagrams_are_drawn_from_the_tables(table: dict[str, dict[str, str]]) -> None:
    assert f"```mermaid\n{mermaid(table)}\n```" in MANUAL


def test_the_limits_are_those_of_the_settings() -> None:
    settings = CallSettings()
    for sentence in (
        f"| time to authenticate | {settings.auth_seconds:.0f} s |",
        f"| session without activity of signaling or media | {settings.seat_seconds:.0f} s |",
        f"| message | {settings.message_bytes:,} bytes |",
        f"| messages of a session | {settings.messages_per_second:.0f} a second, {settings.message_burst} at once;",
        f"{settings.message_burst // 2} dropped close the connection |",
        f"| `join` | {settings.joins_per_minute} a minute",
        f"| connections | {settings.sockets_per_identity} at a time",
        f"| failed authentications | {settings.failed_auths_per_minute} a minute",
        f"| messages waiting for a slow reader | {settings.queue_messages}, or 1 MiB;",
        f"The last {MOST_MESSAGES} messages",
    ):
        assert sentence in MANUAL
