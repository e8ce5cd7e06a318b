import json
import re
from pathlib import Path
from typing import get_args

import pytest

from signaling.api.openapi import all_endpoints
from signaling.http.aliases import ALIASES, other_names
from signaling.http.app_keys import CLOCK, TOKENS
from signaling.identity.grants import Grants
from signaling.storage.words import RoomType
from tests.signaling.serving import served

MAPPING = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text()


@pytest.mark.parametrize(("alias", "ours"), ALIASES.items())
def test_each_alias_leads_to_routes_that_there_are(alias: str, ours: str) -> None:
    paths = {row.path for row in all_endpoints()}
    assert any(alias in one for path in paths for one in other_names(path)), f"nothing begins with {ours}"
    assert not any(path.startswith(alias) for path in paths), "what has its own routes is no alias"


def test_what_follows_stays_and_names_that_only_begin_alike_are_left_alone() -> None:
    assert other_names("/api/v1/rooms") == ("/api/v1/voice-channels",)
    assert other_names("/api/v1/rooms/{id}/join") == ("/api/v1/voice-channels/{id}/join",)
    assert other_names("/api/v1/roomsful") == ()


async def test_an_alias_reaches_the_same_handler_under_the_same_limits(tmp_path: Path) -> None:
    async with served(tmp_path, rate_limit_rpm=len(ALIASES)) as server:
        for alias, ours in ALIASES.items():
            row = next(row for row in all_endpoints() if row.method == "GET" and row.path.startswith(ours))
            path = alias + row.path.removeprefix(ours).replace("{id}", "x")
            response, body = await server.ask(path)
            assert (response.status, json.loads(body)["code"]) == (401, "unauthenticated")
        response, _ = await server.ask(path)
        assert response.status == 429


async def test_a_whole_session_goes_by_another_name(tmp_path: Path) -> None:
    async with served(tmp_path, rate_limit_rpm=1) as server:
        utc = server.app[CLOCK].utc()
        token = server.app[TOKENS].issue("ana", grants=Grants.for_room("lobby"), utc=utc)
        room = "/api/v1/voice-channels/lobby"
        headers = {"Authorization": f"Bearer {token}"}
        response, _ = await server.ask(f"{room}/join", "POST", json={}, headers=headers)
        assert response.status == 200
        session = {"Parley-Session": response.headers["Parley-Session"]}
        for _ in range(3):
            response, body = await server.ask(f"{room}/signal", "POST", json={"type": "ping"}, headers=session)
            assert (response.status, json.loads(body)["type"]) == (200, "pong")
        response, _ = await server.ask(f"{room}/leave", "POST", headers=session)
        assert response.status == 200


def test_the_manual_says_what_is_called_a_voice_channel_a_call_or_a_party_and_has_each_type_of_room() -> None:
    words = MAPPING.split("## Words")[1].split("## Messages")[0]
    ours = {row.split("|")[1].strip(): row for row in words.splitlines() if row.startswith("|")}
    assert "voice channel" in ours["room"]
    assert "call" in ours
    assert "room session" in ours["call"]
    (types,) = [row for name, row in ours.items() if "room of type" in name]
    assert "party chat" in types
    assert [name for name in get_args(RoomType) if f"`{name}`" not in types] == []


def test_the_manual_has_the_table_as_it_is() -> None:
    rows = re.findall(r"^\| `(/[^`]+)` \| `(/[^`]+)` \|", MAPPING, re.MULTILINE)
    assert dict(rows) == ALIASES
    assert len(rows) == len(ALIASES)
