from typing import Any

import orjson
import pytest

from signaling.protocol import schema
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES


def test_the_committed_schema_is_the_one_of_the_models() -> None:
    assert schema.PATH.read_bytes() == schema.render(), "run python -m signaling.protocol.schema"


def test_every_message_is_defined() -> None:
    definitions = schema.protocol_schema()["$defs"]
    for name in CLIENT_MESSAGES:
        assert definitions[f"client.{name}"]["properties"]["type"] == {"const": name}
    for name in SERVER_MESSAGES:
        assert definitions[f"server.{name}"]["required"] == ["type", "seq", "payload"]


def test_every_reference_leads_somewhere() -> None:
    whole = schema.protocol_schema()

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/$defs/") in whole["$defs"]
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(whole)


def test_the_command_writes_the_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(schema, "PATH", tmp_path / "schema" / "x.json")
    schema.main()
    assert orjson.loads(schema.PATH.read_bytes())["$id"] == "urn:parley:protocol:v1"
    assert str(schema.PATH) in capsys.readouterr().out
