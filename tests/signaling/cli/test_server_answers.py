from typing import get_args

import pytest

from signaling.cli.server_answers import (
    ACTS,
    ban_line,
    bans_path,
    check_url,
    participant_line,
    refusal_of,
    room_path,
    unreachable,
)
from signaling.protocol.client_messages import ModerateAction
from signaling.refusals import BadSettings

URL = "http://localhost:8080"


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://", "http://host?x=1", "http://a:b@host"])
def test_what_is_no_address_of_a_server(url: str) -> None:
    with pytest.raises(BadSettings, match="no address"):
        check_url(url)


def test_an_address_may_have_a_path() -> None:
    assert check_url("https://host/parley/") == "https://host/parley"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "bad_message", 2),
        (401, "token_invalid", 2),
        (403, "forbidden", 2),
        (404, "no_such_participant", 2),
        (409, "room_full", 2),
        (429, "rate_limited", 1),
        (503, "storage_unavailable", 1),
    ],
)
def test_a_refusal_says_what_why_and_what_next(status: int, code: str, exit_code: int) -> None:
    refusal = refusal_of(status, {"code": code, "title": "T", "detail": "because", "request_id": "r1"}, URL)
    assert (refusal.why, refusal.exit_code) == ("because", exit_code)
    assert code in refusal.what or str(status) in refusal.what
    assert refusal.remedy


def test_what_is_no_parley_server_is_said() -> None:
    refusal = refusal_of(404, {}, URL)
    assert (refusal.exit_code, "Parley server" in refusal.remedy) == (1, True)
    assert unreachable(URL, "refused").exit_code == 1


def test_names_of_rooms_stay_in_their_place_of_the_path() -> None:
    assert room_path("../bans?x") == "/api/v1/rooms/..%2Fbans%3Fx"
    assert (bans_path(None), bans_path("den")) == ("/api/v1/bans", "/api/v1/rooms/den/bans")


def test_each_act_of_the_protocol_is_a_command() -> None:
    assert ACTS.keys() | {"move"} == set(get_args(ModerateAction))


def test_lines_for_people() -> None:
    person = dict.fromkeys(("self_mute", "mute", "deaf", "suppressed"), False)
    named = {"id": "p", "identity": "ana", "name": "Ana", "role": "member", **person}
    assert participant_line(named | {"mute": True}) == "p  ana  Ana  member  mute"
    ban = {"id": "b", "identity": "ana", "expires_at": None, "created_by": "mod", "reason": ""}
    assert ban_line(ban) == "b  ana  for good  by mod"
