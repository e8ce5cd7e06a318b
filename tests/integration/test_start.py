"""What a start imports and builds, and what it leaves for later."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

LATER = {
    "alembic": "steps of a migration",
    "mako": "Alembic",
    "asyncpg": "PostgreSQL",
    "aiortc": "the first handshake",
    "av": "aiortc",
    "aioice": "tests",
    "dns": "aioice",
    "pycparser": "C declarations at run time",
    "pydantic_settings": "nothing: load_settings reads the sources",
    "yaml": "a settings file",
    "signaling.cli.doctor": "another command",
    "signaling.cli.webhook": "another command",
    "signaling.protocol.schema": "generating documents",
}
"""Modules that `parley serve` on SQLite does not import before it is ready, and what needs them."""

HEAVY = {"aiohttp", "sqlalchemy", "pydantic", "OpenSSL", "structlog", "cryptography", "rich", "asyncio"}

SERVE = """
import json, os, signal, sys
from pydantic import BaseModel
from signaling.cli import main as cli
def started():
    from signaling.models import unbuilt
    names = sorted(model.__name__ for model in unbuilt())
    print(json.dumps({"modules": sorted(sys.modules), "unbuilt": names}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
cli._keep = started
cli.main()
"""


JOIN = """
import asyncio, sys, threading
from tests.support.house import hear_from, joined, media_house, talk, words
assert not {"aiortc", "av"} & set(sys.modules)
async def join():
    async with media_house() as house:
        ana, ben = await joined(house, "ana", "ben")
        await talk(ana, ben, "1", words("ana"))
        assert hear_from(ben, "1") == words("ana")
asyncio.run(join())
print("aiortc" in sys.modules, [thread.name for thread in threading.enumerate()])
"""


def started(folder):
    command = ["serve", "--dev", "--port", "0", "--media-port", "0", "--data-dir", str(folder)]
    done = subprocess.run([sys.executable, "-c", SERVE, *command], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_what_a_start_does_not_need_is_not_imported(tmp_path):
    first, again = started(tmp_path), started(tmp_path)
    assert set(first["modules"]) & LATER.keys() <= {"alembic", "mako"}
    assert not set(again["modules"]) & LATER.keys()


def test_a_join_before_the_warm_up_waits_for_aiortc_and_is_heard():
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", JOIN], capture_output=True, text=True, check=False, cwd=root)
    assert done.stdout.split("\n")[0] == "True ['MainThread']", done.stderr


def test_models_are_built_after_the_start(tmp_path):
    assert {"Join", "Offer", "RoomView", "WebhookView"} <= set(started(tmp_path)["unbuilt"])


def test_help_imports_nothing_that_serves():
    code = "import sys; from signaling.cli.main import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.splitlines()[-1].split())
