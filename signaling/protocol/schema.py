"""The protocol as JSON Schema 2020-12, generated from the models; `python -m signaling.protocol.schema` writes the
file.
"""

import sys
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from signaling.errors import ERRORS
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.envelope import LARGEST_INTEGER, LONGEST_ID
from signaling.protocol.server_messages import SERVER_MESSAGES

PATH = Path(__file__).parents[1] / "schema" / "parley.v1.json"
_ID = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
        {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER},
    ],
}


def protocol_schema() -> dict[str, Any]:
    """The whole protocol: `$defs` has one definition for each message of either side, with its envelope."""
    definitions: dict[str, Any] = {}
    for name, model in CLIENT_MESSAGES.items():
        payload = _payload(TypeAdapter(model), definitions)
        required = ["type", "payload"] if payload.get("required") else ["type"]
        definitions[f"client.{name}"] = _message({"type": {"const": name}, "id": _ID, "payload": payload}, required)
    for name, shape in SERVER_MESSAGES.items():
        payload = _payload(TypeAdapter(shape), definitions)
        seq = {"type": "integer", "minimum": 1}
        properties = {"type": {"const": name}, "id": _ID, "seq": seq, "payload": payload}
        definitions[f"server.{name}"] = _message(properties, ["type", "seq", "payload"])
    definitions["server.error"]["properties"]["payload"]["properties"]["code"]["enum"] = list(ERRORS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:parley:protocol:v1",
        "title": "Parley signaling protocol, parley.v1",
        "oneOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/server"}],
        "$defs": {
            "client": {"oneOf": [{"$ref": f"#/$defs/client.{name}"} for name in CLIENT_MESSAGES]},
            "server": {"oneOf": [{"$ref": f"#/$defs/server.{name}"} for name in SERVER_MESSAGES]},
            **definitions,
        },
    }


def _payload(adapter: TypeAdapter[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one payload; what it shares with others goes to `definitions`."""
    schema = adapter.json_schema(ref_template="#/$defs/{model}", by_alias=True)
    definitions.update(schema.pop("$defs", {}))
    return schema


def _message(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def render() -> bytes:
    """The text of the committed file."""
    return orjson.dumps(protocol_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """Write the file, and say where."""
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_bytes(render())
    sys.stdout.write(f"{PATH}\n")


if __name__ == "__main__":
    main()
