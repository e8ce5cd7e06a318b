import json

import pytest
import typer
from pydantic import BaseModel

from signaling.cli.command_line import say, settings_of, telling_refusals
from signaling.errors import BadSettings, Refusal


class Thing(BaseModel):
    name: str


@telling_refusals
def refusing(*, as_json=False):
    raise Refusal("it broke", "because", "do this", exit_code=2)


def test_a_refusal_is_said_in_three_parts_and_ends_with_its_code(capsys):
    with pytest.raises(typer.Exit) as caught:
        refusing()
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == "Error: it broke.\n  Why:  because\n  Next: do this\n"
    with pytest.raises(typer.Exit):
        refusing(as_json=True)
    assert json.loads(capsys.readouterr().out) == {"error": "it broke", "why": "because", "remedy": "do this"}


def test_ctrl_c_is_no_traceback():
    @telling_refusals
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        interrupted()
    assert caught.value.exit_code == 130


def test_pairs_are_settings(tmp_path):
    settings = settings_of({"data_dir": tmp_path}, ["max-participants=7"], None, serving=False)
    assert (settings.data_dir, settings.max_participants) == (tmp_path, 7)
    with pytest.raises(BadSettings, match="value is missing"):
        settings_of({}, ["slots"], None)


def test_a_line_for_people_or_for_programs(capsys):
    say(Thing(name="x"), "a thing", as_json=True)
    say(Thing(name="x"), "a thing", as_json=False)
    assert capsys.readouterr().out == '{"name":"x"}\na thing\n'
