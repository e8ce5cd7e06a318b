import json
import re

import jsonschema_rs
import pytest
import schemathesis

from signaling.api.openapi import PATH, all_routes, as_text, document
from tests.signaling.serving import served


def test_the_committed_document_is_the_generated_one():
    assert PATH.read_text() == as_text(), "run python scripts/write_reference.py"


def test_it_is_what_the_specification_of_openapi_3_1_asks_for():
    schemathesis.openapi.from_dict(document()).validate()
    wrong = document()
    wrong["paths"]["/live"]["get"]["responses"] = {}
    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict(wrong).validate()


def test_every_route_is_in_it_with_its_errors_as_problems():
    spec = document()
    assert spec["openapi"] == "3.1.0"
    for row in all_routes():
        operation = spec["paths"][row.path][row.method.lower()]
        assert set(map(str, row.answers)) <= set(operation["responses"])
        assert "application/problem+json" in operation["responses"]["500"]["content"]


def test_a_route_that_is_limited_says_so_and_a_probe_does_not():
    paths = document()["paths"]
    limited = {path for path, rows in paths.items() if all("429" in row["responses"] for row in rows.values())}
    assert paths.keys() - limited == {"/live", "/ready", "/health", "/metrics", "/openapi.json"}


def test_every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own():
    text = as_text()
    spec = json.loads(text)
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in spec["components"]["schemas"]
    names = [operation["operationId"] for path in spec["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_parameters_of_path_and_query_are_described():
    paths = document()["paths"]
    assert [one["name"] for one in paths["/api/v1/rooms/{id}"]["get"]["parameters"]] == ["id"]
    named = {one["name"]: one["in"] for one in paths["/api/v1/rooms"]["get"]["parameters"]}
    assert named == dict.fromkeys(("type", "guild", "owner", "region", "search", "limit", "cursor"), "query")
    assert "content" not in paths["/api/v1/rooms/{id}"]["delete"]["responses"]["204"]


def test_a_body_is_described():
    body = document()["paths"]["/dev/token"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/DevTokenRequest")
    body = document()["paths"]["/api/v1/rooms/{id}/whip"]["post"]["requestBody"]
    assert body["content"] == {"application/sdp": {"schema": {"type": "string"}}}


def test_a_route_that_takes_an_idempotency_key_says_so_and_one_with_a_limit_of_its_own_too():
    tokens = document()["paths"]["/api/v1/tokens"]["post"]
    assert {"name": "Idempotency-Key", "in": "header"}.items() <= tokens["parameters"][-1].items()
    assert {"409", "422"} <= tokens["responses"].keys()
    assert tokens["description"] == "At most 120 requests a minute."
    assert "parameters" not in document()["paths"]["/auth/token"]["post"]


def test_each_route_says_how_to_say_who_one_is():
    """A token or a key, the session of plain HTTP, either one or nobody; and nothing where nobody asks."""
    paths = document()["paths"]
    for row in all_routes():
        told = paths[row.path][row.method.lower()].get("security")
        assert bool(told) is ("unauthenticated" in row.errors), row.path
    assert paths["/api/v1/rooms"]["get"]["security"] == [{"bearer": []}]
    assert paths["/api/v1/rooms/{id}/events"]["get"]["security"] == [{"session": []}]
    assert paths["/api/v1/rooms/{id}/signal"]["post"]["security"] == [{"session": []}, {}]
    assert paths["/api/v1/invites/accept"]["post"]["security"] == [{"bearer": []}, {}]
    assert paths["/auth/token"]["post"]["security"] == [{"bearer": []}, {}]
    schemes = document()["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["session"]["name"]) == ("bearer", "Parley-Session")


async def test_what_wants_a_token_refuses_who_shows_none(tmp_path):
    async with served(tmp_path) as server:
        for path, operations in document()["paths"].items():
            for method, operation in operations.items():
                if operation.get("security", [{}])[-1]:
                    response, body = await server.ask(re.sub(r"\{\w+\}", "x", path), method.upper())
                    # Which WHIP resources there are is no more than a guess, to whoever asks (RFC 9725 section 4.1).
                    assert response.status == (404 if "{resource}" in path else 401), (method, path, body)


def test_every_list_is_a_page_of_items():
    whole = {
        "/api/v1/api-keys",
        "/api/v1/webhooks",
        "/api/v1/rooms/{id}/participants/{participant}/media-sessions",
    }
    paged = 0
    for row in all_routes():
        for model in row.answers.values():
            if isinstance(model, str) or "items" not in model.model_fields or row.path == "/api/v1/events":
                continue
            assert model.model_fields.keys() == {"items", "next_cursor"}, row.path
            taken = set() if row.query is None else {"limit", "cursor"} & row.query.model_fields.keys()
            assert (taken == {"limit", "cursor"}) is (row.path not in whole), row.path
            paged += 1
    assert paged > 10


def test_whatever_can_be_stale_says_how_to_name_the_version():
    """RFC 9110 section 13.1.1, RFC 6585 section 3."""
    paths = document()["paths"]
    for row in all_routes():
        named = paths[row.path][row.method.lower()].get("parameters", [])
        match = [one for one in named if one["name"] == "If-Match"]
        assert bool(match) is ("stale" in row.errors or "precondition_failed" in row.errors), row.path
        if match:
            assert match[0].get("required", False) is ("precondition_required" in row.errors), row.path
        assert row.method not in ("PATCH", "PUT") or match, row.path
