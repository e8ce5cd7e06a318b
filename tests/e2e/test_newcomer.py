"""A newcomer's walk: the lines of the README, pasted into a shell one by one; the link that they print, in Chromium."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.e2e.conftest import People
from tests.e2e.test_invites import come_in
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

README = Path(__file__).parents[2] / "README.md"
THERE = "http://127.0.0.1:8080"
END = "-- end of the answer --"

Paste = Callable[[str], Any]


@contextmanager
def shell() -> Iterator[Paste]:
    """`paste(lines)`: what they print, as JSON, if they print anything. All goes to one shell, which must not fail."""
    program = shutil.which("sh")
    assert program is not None
    pipe = subprocess.PIPE
    with subprocess.Popen([program, "-eu"], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def paste(lines: str) -> Any:
            stdin.write(f"{lines}\necho '{END}'\n")
            stdin.flush()
            said = []
            for line in stdout:
                if line == f"{END}\n":
                    break
                said.append(line)
            else:
                raise AssertionError(f"the shell has ended: {said}")
            return json.loads("".join(said)) if said else None

        yield paste
        stdin.close()
        assert stdout.read() == ""
        assert process.wait(PATIENCE) == 0


def blocks() -> tuple[list[str], list[str]]:
    """The lines of the README that are for `curl`: before the link is opened, and after."""
    first, second = [one for one in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL) if "ask " in one]
    return first.splitlines(), second.splitlines()


def test_a_newcomer_gets_along_with_curl_and_the_readme(
    server: ServerProcess, people: People, require: Callable[[str], Path]
) -> None:
    require("curl")
    before, after = blocks()
    assert before[0] == f"PARLEY={THERE}"
    (ben,) = people("Ben")
    with shell() as paste:
        *_, room, invite = [paste(line.replace(THERE, server.url)) for line in before]
        assert (room["id"], room["has_password"], "sesame" in str(room)) == ("den", True, False)

        come_in(ben.page, invite["link"], "Ben")
        expect(ben.page.get_by_role("heading", level=1)).to_have_text("den")

        answers = (paste(line) for line in after)
        there, _, muted = next(answers), next(answers), next(answers)
        assert [one["name"] for one in there["items"]] == ["Ben"]
        who = there["items"][0]["identity"]
        assert muted["identity"] == who
        expect(ben.page.locator("#notices")).to_contain_text("A moderator muted you")

        ban = next(answers)
        assert (ban["identity"], ban["reason"]) == (who, "more noise")
        expect(ben.page.get_by_role("heading", level=1)).to_have_text("You cannot come back here")

        trail = next(answers)["items"]
        assert [(one["action"], one["target"], one["reason"]) for one in trail] == [
            ("participant.ban", who, "more noise"),
            ("participant.mute", who, "noise"),
            ("invite.create", f"invite:{invite['id']}", ""),
        ]
        assert list(answers) == []
