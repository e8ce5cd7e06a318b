"""Values of the wrong JSON type for each field of a model, by its JSON Schema."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

OF_TYPE: dict[str, object] = {
    "boolean": False,
    "integer": 0,
    "number": 1.5,
    "string": "x",
    "array": [],
    "object": {},
    "null": None,
}
"""One value of each JSON type."""


def wrong_values(model: type[BaseModel]) -> Iterator[tuple[str, object]]:
    """(field, value): each value whose type the field does not take. A field that takes anything has none."""
    schema = model.model_json_schema()
    for name, field in schema.get("properties", {}).items():
        taken = types_of(field, schema.get("$defs", {}))
        yield from ((name, value) for kind, value in OF_TYPE.items() if kind not in taken)


def types_of(schema: dict[str, Any], defs: dict[str, Any]) -> set[str]:
    """The JSON types that a schema takes; an integer is a number too."""
    if "$ref" in schema:
        return types_of(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return set().union(*(types_of(one, defs) for one in schema["anyOf"]))
    if "type" not in schema:
        return {"string"} if "enum" in schema or "const" in schema else set(OF_TYPE)
    kind: str = schema["type"]
    return {kind, "integer"} if kind == "number" else {kind}
