import asyncio
import json
import os

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from signaling.cli import main
from signaling.http.app_keys import GATEWAY
from tests.signaling.fakes import pid
from tests.signaling.http.callers import enter, person, service
from tests.signaling.serving import SECRET, served


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


async def run(server, *arguments, **environment):
    """A command in a thread beside the running server, whose log is kept from what the command says."""
    given = {"PARLEY_JWT_SECRET": SECRET, "PARLEY_SERVER_URL": f"http://{server.host}", **environment}
    with capture_logs():
        return await asyncio.to_thread(CliRunner().invoke, main.app, list(arguments), env=given)


def flags(server, line):
    return server.app[GATEWAY].conversation.rooms.participant(pid(line)).flags


async def test_who_is_in_a_room(tmp_path):
    async with served(tmp_path) as server:
        ana = enter(server, "ana", role="moderator")
        for command in (("room", "participants", "den"), ("participant", "list", "den")):
            told = await run(server, *command)
            assert (told.exit_code, told.stdout) == (0, f"{pid(ana)}  ana  ana  moderator\n")
        (line,) = (await run(server, "participant", "list", "den", "--json")).stdout.splitlines()
        assert json.loads(line)["identity"] == "ana"
        assert (await run(server, "participant", "list", "empty")).stdout == ""


@pytest.mark.parametrize(
    ("do", "undo", "flag"),
    [("mute", "unmute", "mute"), ("deafen", "undeafen", "deaf"), ("take-floor", "give-floor", "suppressed")],
)
async def test_acts_on_who_is_there(tmp_path, do, undo, flag):
    async with served(tmp_path) as server:
        ana = enter(server, "ana")
        told = await run(server, "participant", do, "ana", "--room", "den", "--reason", "noise")
        assert told.stdout == f"Done: {do.replace('-', '_')} ana in den.\n", told.stderr
        assert getattr(flags(server, ana), flag)
        assert (await run(server, "participant", undo, pid(ana), "--id", "--room", "den", "--json")).exit_code == 0
        assert not getattr(flags(server, ana), flag)


async def test_somebody_is_kicked_and_moved(tmp_path):
    async with served(tmp_path) as server:
        ana, ben = enter(server, "ana"), enter(server, "ben")
        assert (await run(server, "participant", "kick", "ana", "--room", "den")).exit_code == 0
        assert ana.closed == "forbidden"
        told = await run(server, "participant", "move", "ben", "--room", "den", "--to", "attic")
        assert told.stdout == "Done: move ben from den to attic.\n", told.stderr
        assert server.app[GATEWAY].conversation.rooms.participant(pid(ben)).room_id == "attic"


@pytest.mark.parametrize("where", [("--room", "den"), ()])
async def test_bans_are_imposed_listed_and_lifted(tmp_path, where):
    async with served(tmp_path) as server:
        made = await run(server, "ban", "add", "ana", *where, "--for", "1h", "--reason", "noise", "--json")
        ban = json.loads(made.stdout)
        assert (ban["identity"], ban["room_id"], ban["created_by"]) == ("ana", where[1] if where else None, "cli")
        assert await person(server, "ana", room="den").status("GET", "/api/v1/rooms/den/participants") == 403
        listed = await run(server, "ban", "list", *where)
        assert listed.stdout == f"{ban['id']}  ana  until {ban['expires_at']}  by cli  noise\n"
        assert (await run(server, "ban", "lift", ban["id"], *where)).stdout == f"{ban['id']} is lifted.\n"
        assert (await run(server, "ban", "list", *where)).stdout == ""
        assert ban["id"] in (await run(server, "ban", "list", "--ended", *where)).stdout
        again = await run(server, "ban", "lift", ban["id"], *where)
        assert (again.exit_code, "not_found" in again.stderr) == (2, True)


async def test_participant_ban_and_unban_need_nobody_to_be_there(tmp_path):
    async with served(tmp_path) as server:
        assert (await run(server, "participant", "ban", "ana", "--room", "den")).exit_code == 0
        assert (await run(server, "participant", "unban", "ana", "--room", "den")).exit_code == 0
        again = await run(server, "participant", "unban", "ana", "--room", "den", "--json")
        assert (again.exit_code, set(json.loads(again.stdout))) == (2, {"error", "why", "remedy"})


async def test_with_a_key_its_scopes_hold(tmp_path):
    async with served(tmp_path) as server:
        enter(server, "ana")
        key = (await service(server, "participant.list")).bearer
        assert (await run(server, "participant", "list", "den", PARLEY_API_KEY=key)).exit_code == 0
        refused = await run(server, "participant", "kick", "ana", "--room", "den", "--key", key)
        assert (refused.exit_code, "Why:" in refused.stderr, "Next:" in refused.stderr) == (2, True, True)
        assert key not in refused.output


async def test_a_duration_that_is_none_is_refused_before_anybody_is_asked(tmp_path):
    async with served(tmp_path) as server:
        refused = await run(server, "participant", "mute", "ana", "--room", "den", "--for", "soon")
        assert (refused.exit_code, "--for 'soon'" in refused.stderr) == (2, True)


async def test_a_server_that_is_not_there_ends_with_1(tmp_path):
    async with served(tmp_path) as server:
        refused = await run(server, "ban", "list", "--url", "http://127.0.0.1:1")
        assert (refused.exit_code, "parley serve" in refused.stderr) == (1, True)


def test_help_says_which_commands_ask_the_server():
    for command, words in (("participant", "running server"), ("ban", "running server"), ("apikey", "database")):
        assert words in CliRunner().invoke(main.app, [command, "--help"]).output
