"""Bad input to every route there is, at a real server on either database.

The cases are made from the rows that make the router, so that a new route is held to them without being named. Whatever
comes, the answer is one that is documented, nothing is a mistake of ours, and the room is still there.
"""

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from pydantic import BaseModel, ValidationError
from yarl import URL

from signaling.api.config import DevTokenRequest
from signaling.api.openapi import all_routes, document
from signaling.api.plain_http import JoinBody, MessageBody
from signaling.app import BODY_LIMIT
from signaling.errors import StorageUnavailable
from signaling.http.app_keys import DATABASE, TOKENS
from signaling.http.limits import LIMITED_PREFIXES
from signaling.http.routes import Route
from signaling.identity.grants import Grants
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import STANDING_CLOCK, Served, served
from tests.support.kept import database_url
from tests.support.postgres import PostgresServer
from tests.support.wrong_types import wrong_values

ROUTES = all_routes()
DOCUMENT = document()
ROOM_IN_PATH = "/api/v1/rooms/{id}"

TEXTS = (
    "'; DROP TABLE rooms; --", "' OR '1'='1", "x' UNION SELECT password_hash FROM rooms --", "\\'; --", "%' --", "%_",
    "../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "file:///etc/passwd", "a/../b", ".", "..", "%2e%2e%2f",
    "%00",
    "a\x00b", "\x00", "a\r\nSet-Cookie: x=1", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202eabc", "\ufeff", "\uffff",
    "\ud800", "a\udfffb", "\U0001f468\u200d\U0001f469", "e\u0301" * 500, "\u0130\u0131\ufb03", "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}", "%s%n%x", "{0.__class__}", "<script>alert(1)</script>", "`id`", "$(id)", "NaN",
    "null",
    "", " ", "x" * 5000, "\u00e4" * 60_000,
)  # fmt: skip
"""Injection, traversal, control and bidirectional characters, lone surrogates, and too much of everything."""

NESTED = (TEXTS[0], "../../etc/passwd", "a\x00b", "\ud800", "")
"""Those that are tried within a list and as a key, too."""

VALUES: tuple[object, ...] = (
    False, True, None, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, "5", "1.5", "true", [], {},
    [[]], [None], {"$ne": 1}, {"__proto__": {}}, ["x"] * 5000,
)  # fmt: skip
"""Wrong types, and numbers out of all bounds."""

RAW = (
    b"", b"null", b"[]", b"{}", b'"x"', b"5", b"true", b"{", b"{]", b'{"a":}', b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}",
    b"\x00", b"NaN", b'{"name": NaN}', b'{"name": Infinity}', b'{"name": 1e999}', b'{"name": "\xff\xfe"}',
    b'{"name": "\\ud800"}', b'{"name": "a", "name": "b"}', b"[" * 100_000, b'{"a":' * 20_000,
    b'{"metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 201,
    b'{"name": "x"} {"name": "y"}', b"a=b&c=d", b"<xml/>",
)  # fmt: skip
"""What is no JSON object, or hardly one."""

IDS = (*(quote(text.encode("utf-8", "surrogatepass"), safe="") for text in TEXTS if len(text) < 6000), "%ff", "%c0%af",
       "%zz", "0", "-1", "99999999999999999999", "x" * 65, "den%20", "den%00", "DEN", "den%2f..", "den%3b", "den?x",
       "den%23")  # fmt: skip
"""Ids as they stand in a path."""

TAGS = ('W/"1"', '"1", "2"', 'W/"1", W/"2"', "*, *", "1", '"', '""', '"01"', '"-1"', '"1.0"', '"999999999999999999999"',
        '"x"', '"1" ', "\u00e4", '"\u0661"', "'1'", '"1"; --', "x" * 4000)  # fmt: skip
KEYS = (" ", "a b", "\u00e4", "x" * 129, "'; --", "\t")
CURSORS = ("x", "!", "AAAA", "%00", "e30", "bnVsbA", "eyJ2IjoxfQ", "x" * 5000, "' OR 1=1", "\u00e4", "..", "0", "-1")
TYPES = ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
         "application/jsonx", "json", "application/json, text/plain", ";", "*/*")  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")

SAMPLES: dict[str, object] = {
    "url": "http://127.0.0.1:9/", "room": "den", "action": "mute", "identity": "ana", "scopes": ["*"], "type": "ping",
    "checks": ["database"],
}  # fmt: skip
"""A good value for fields whose schema alone does not say one."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


REFUSED_UNREAD = (400, 413, 415)
"""What a request is refused with for what stands in it: the same code does that, whichever database there is."""


class Attacker:
    """Asks as an operator, each time as another one, and holds every answer to the document.

    `also` has another database: it is asked what this one does not refuse for its form, or, with `everything`, all.
    """

    def __init__(self, server: Served, also: "Attacker | None" = None) -> None:
        self.server = server
        self.also = also
        self.everything = False
        self.asked = 0

    async def ask(self, row: Route, path: str | None = None, query: str = "", **options: Any) -> int:
        """Send one; the status of the answer, which is a documented one."""
        self.asked += 1
        headers = {**person(self.server, f"ops-{self.asked}", "operator").headers, **options.get("headers", {})}
        whole = URL(f"http://{self.server.host}{path or filled(row.path)}{query}", encoded=True)
        method = options.get("method", row.method)
        given = {name: value for name, value in options.items() if name not in ("headers", "method")}
        async with self.server.session.request(method, whole, headers=headers, **given) as response:
            body = await response.read()
        check_answer(row, method, response, body)
        if self.also is not None and (self.everything or response.status not in REFUSED_UNREAD):
            await self.also.ask(row, path, query, **options)
        return response.status

    async def still_there(self) -> None:
        """The rooms are there, and the server well."""
        for path in ("/ready", "/api/v1/rooms/den"):
            headers = person(self.server, "ops", "operator").headers
            response, told = await self.server.ask(path, headers=headers)
            assert response.status == 200, told


def check_answer(row: Route, method: str, response: aiohttp.ClientResponse, body: bytes) -> None:
    """Raises AssertionError for a status, a media type or a body that is not documented."""
    where = (method, str(response.url)[:300], response.status, body[:500])
    assert response.status < 500 or response.status == 503, where
    if response.status == 101:
        return
    kind = response.content_type
    if response.status in (404, 405) or method != row.method:
        assert method == "HEAD" or not body or kind == "application/problem+json" or response.status < 400, where
        return
    answers = DOCUMENT["paths"][row.path][row.method.lower()]["responses"]
    assert str(response.status) in answers, where
    content = answers[str(response.status)].get("content")
    assert (not body) if content is None else any(one.partition(";")[0] == kind for one in content), where
    if response.status >= 400 and kind == "application/problem+json" and method != "HEAD":
        assert json.loads(body)["code"], where


@asynccontextmanager
async def both(folder: Any, postgres: PostgresServer) -> AsyncIterator[Attacker]:
    """A server on SQLite, and one on PostgreSQL for what that one does not refuse for its form."""
    (folder / "other").mkdir()
    async with (
        attacked(folder / "other", database_url("postgresql", postgres)) as other,
        attacked(folder, "", also=other) as attacker,
    ):
        yield attacker


@asynccontextmanager
async def attacked(folder: Any, url: str, also: Attacker | None = None) -> AsyncIterator[Attacker]:
    """A server with a room, that is still well after all; nothing was logged as a mistake of ours."""
    limits = {"rate_limit_rpm": 1_000_000, "failed_auths_per_minute": 10_000, "joins_per_minute": 10_000}
    with structlog.testing.capture_logs() as lines:
        async with served(folder, database_url=url, dev=True, webhook_allow_private=True, **limits) as server:
            operator = person(server, "ops", "operator")
            assert await operator.status("POST", "/api/v1/rooms", {"id": "den", "name": "Den"}) == 201
            attacker = Attacker(server, also)
            yield attacker
            if (await operator.status("GET", "/api/v1/rooms/den")) == 404:
                await operator.status("POST", "/api/v1/rooms", {"id": "den", "name": "Den"})
            await attacker.still_there()
            assert attacker.asked
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []


def filled(path: str) -> str:
    """The path with the room and made-up ids."""
    name = "den" if path.startswith(ROOM_IN_PATH) else "nothing"
    return re.sub(r"\{\w+\}", "none", path.replace("{id}", name))


def names_of(path: str) -> list[str]:
    return [part for part in path.split("/") if part.startswith("{")]


def sample(schema: dict[str, Any], name: str, defs: dict[str, Any]) -> object:
    """Something that fits a schema."""
    if name in SAMPLES:
        return SAMPLES[name]
    if "$ref" in schema:
        return sample(defs[schema["$ref"].rpartition("/")[2]], name, defs)
    for one in schema.get("anyOf", ()):
        return sample(one, name, defs)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "object":
        return {key: sample(schema["properties"][key], key, defs) for key in schema.get("required", ())}
    return {"string": "x" * schema.get("minLength", 1), "integer": 1, "number": 1, "boolean": True}.get(
        schema.get("type", ""), []
    )


def good_body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    made = sample({**schema, "type": "object"}, "", schema.get("$defs", {}))
    assert isinstance(made, dict)
    # One of two fields, of which the schema asks for neither.
    if model is DevTokenRequest:
        return {"room": "den"}
    return made | ({"identity": "ana"} if {"target", "identity"} <= schema["properties"].keys() else {})


def bad_bodies(model: type[BaseModel]) -> Iterable[bytes]:
    good, names = good_body(model), [field.alias or name for name, field in model.model_fields.items()]
    for name, value in itertools.product(names, (*TEXTS, *VALUES)):
        yield json.dumps({**good, name: value}).encode()
        if value in NESTED:
            yield json.dumps({**good, name: [value]}).encode()
            yield json.dumps({**good, name: {value: value}}).encode()
    for unknown in ("unknown", "id ", "__proto__", "constructor", "\x00", "owner_id", "version"):
        yield json.dumps({**good, unknown: 1}).encode()
    yield from RAW
    once = json.dumps(good)
    yield (once[:-1] + ("," if good else "") + '"x": 1, "x": 2}').encode()


def has_model(row: Route) -> bool:
    return isinstance(row.body, type)


def route(row: Route) -> str:
    return f"{row.method} {row.path}"


def of(rows: Iterable[Route]) -> Any:
    return pytest.mark.parametrize("row", [pytest.param(row, id=route(row)) for row in rows])


@of(row for row in ROUTES if has_model(row) and row.body not in (JoinBody, MessageBody))
def test_no_field_of_a_body_takes_a_value_of_another_type(row: Route) -> None:
    """Nor `false` for a number, nor a number for a text; and no body takes a field that it has not."""
    assert isinstance(row.body, type)
    good = good_body(row.body)
    row.body.model_validate_json(json.dumps(good), strict=True)
    for name, value in (*wrong_values(row.body), ("unknown", 1)):
        with pytest.raises(ValidationError):
            row.body.model_validate_json(json.dumps({**good, name: value}), strict=True)


async def test_whoever_asks_a_refusal_is_a_documented_one(tmp_path: Any) -> None:
    """Nobody, a forger, somebody with an old token, a member, an owner of elsewhere, a service that may none of it."""
    async with attacked(tmp_path, "") as attacker:
        server = attacker.server
        old = server.app[TOKENS].issue("old", grants=Grants(), utc=datetime(2020, 1, 1, tzinfo=UTC))
        askers = [Caller(server, bearer) for bearer in (None, "x.y.z", "parley_x", old)]
        askers += [person(server, "eve", room="den", room_join=True), person(server, "ed", "owner", room="elsewhere")]
        askers.append(await service(server, "audit.read"))
        for row, who in itertools.product(ROUTES, askers):
            await plain(attacker, row, who)


async def test_who_is_too_fast_hears_so_on_each_route_that_counts(tmp_path: Any) -> None:
    async with served(tmp_path, clock=STANDING_CLOCK, dev=True, rate_limit_rpm=1) as server:
        attacker, nobody = Attacker(server), Caller(server, None)
        assert await nobody.status("GET", "/api/v1/config") == 200
        for row in ROUTES:
            response = await plain(attacker, row, nobody)
            assert (response.status == 429) is row.path.startswith(LIMITED_PREFIXES), route(row)
            assert response.status != 429 or 1 <= int(response.headers["Retry-After"]) <= 60, route(row)


NEEDED = (
    "POST /api/v1/rooms", "POST /api/v1/rooms/{id}/join", "POST /auth/token", "POST /api/v1/rooms/{id}/invites",
    "POST /api/v1/invites/accept", "GET /api/v1/rooms", "GET /api/v1/rooms/{id}/audit", "GET /api/v1/events",
)  # fmt: skip
"""What nobody can do without the database."""


async def test_without_the_database_each_route_says_so_or_does_without(tmp_path: Any) -> None:
    async with attacked(tmp_path, "") as attacker:
        server, told = attacker.server, {}
        askers = (person(server, "ops", "operator", room="den", room_join=True), await service(server, "*"))
        with pytest.MonkeyPatch.context() as patch:
            for name in ("transaction", "reading"):
                patch.setattr(server.app[DATABASE], name, away)
            for who in askers:
                for row in ROUTES:
                    response = await plain(attacker, row, who)
                    told[route(row)] = (response.status, response.content_type)
            # What has happened meanwhile waits on the disk, and is written later.
            assert await askers[0].status("GET", "/live") == 200
        assert {name: told[name] for name in NEEDED} == dict.fromkeys(NEEDED, (503, "application/problem+json"))


@asynccontextmanager
async def away(*_: object) -> AsyncIterator[None]:
    """A database that is not there."""
    raise StorageUnavailable("nobody there")
    yield


async def plain(attacker: Attacker, row: Route, who: Caller) -> aiohttp.ClientResponse:
    """One good request of this asker; the answer, which is a documented one."""
    body: dict[str, Any] = {"json": good_body(row.body)} if isinstance(row.body, type) else {}  # type: ignore[arg-type]
    headers = dict(who.headers)
    if isinstance(row.body, str):
        body, headers["Content-Type"] = {"data": b"v=0"}, row.body
    attacker.asked += 1
    response, answer = await attacker.server.ask(filled(row.path), row.method, headers=headers, **body)
    check_answer(row, row.method, response, answer)
    return response


async def test_bodies(tmp_path: Any, postgres: PostgresServer) -> None:
    """Each field of each body with each bad value, and bodies that are none."""
    async with both(tmp_path, postgres) as attacker:
        for row in filter(has_model, ROUTES):
            assert isinstance(row.body, type)
            for body in bad_bodies(row.body):
                headers = {"Content-Type": "application/json"}
                headers |= {"If-Match": "*"} if row.method == "PATCH" else {}
                await attacker.ask(row, data=body, headers=headers)


async def test_ids_in_paths(tmp_path: Any, postgres: PostgresServer) -> None:
    async with both(tmp_path, postgres) as attacker:
        attacker.everything = True  # what one database looks up and does not find, the other may not be able to look up
        for row in ROUTES:
            for name, bad in itertools.product(names_of(row.path), IDS):
                path = filled(row.path.replace(name, bad))
                body = {"json": good_body(row.body)} if isinstance(row.body, type) else {}  # type: ignore[arg-type]
                await attacker.ask(row, path, **body)


async def test_queries(tmp_path: Any, postgres: PostgresServer) -> None:
    """Each parameter with each bad value, twice, and unknown ones; huge pages, broken and borrowed cursors."""
    numbers = ("0", "-1", "1.5", "1e3", "99999999999999999999", "\u0661", "0x10", " 1", "true")
    async with both(tmp_path, postgres) as attacker:
        for row in ROUTES:
            if row.query is None:
                continue
            for name in row.query.model_fields:
                for value in (*TEXTS[:-2], *numbers, *CURSORS):
                    await attacker.ask(row, query=f"?{name}={quote(value.encode('utf-8', 'surrogatepass'))}")
                assert await attacker.ask(row, query=f"?{name}=1&{name}=1") == 400
            for limit in ("0", "-1", "201", "100000", "99999999999999999999", "1e2", "x"):
                if "limit" in row.query.model_fields:
                    assert await attacker.ask(row, query=f"?limit={limit}") == 400, (route(row), limit)
            for query in ("?unknown=1", "?%00=1", "?=", "?a[]=1", "?limit=5&Limit=5"):
                assert await attacker.ask(row, query=query) == 400, (route(row), query)
            for query in ("?&&&", "?cursor=%ff"):
                assert await attacker.ask(row, query=query) in (200, 202, 400, 404)


async def test_headers(tmp_path: Any, postgres: PostgresServer) -> None:
    """Entity tags, idempotency keys, names of sessions, and tokens that are none."""
    async with both(tmp_path, postgres) as attacker:
        for row in ROUTES:
            body = {"json": good_body(row.body)} if isinstance(row.body, type) else {}  # type: ignore[arg-type]
            for tag in TAGS if "stale" in row.errors or "If-Match" in row.headers else ():
                await attacker.ask(row, headers={"If-Match": tag}, **body)
            for key in KEYS if row.repeatable else ():
                assert await attacker.ask(row, headers={"Idempotency-Key": key}, **body) == 400, key
            for name, value in itertools.product(row.headers, ("x", "x.y", ".", "a" * 5000, "\u00e4", "'; --", "-1")):
                await attacker.ask(row, headers={name: value}, **body)


async def test_media_types(tmp_path: Any) -> None:
    async with attacked(tmp_path, "") as attacker:
        for row, kind in itertools.product(filter(has_model, ROUTES), TYPES):
            status = await attacker.ask(row, data=b"{}", headers={"Content-Type": kind, "If-Match": "*"})
            assert status in (404, 415), (route(row), kind)


async def test_what_is_too_long_is_never_taken(tmp_path: Any) -> None:
    too_long = ("x" * 5000, "\u00e4" * 60_000, ["x"] * 5000, 10**30, dict.fromkeys(map(str, range(20_000)), 1))
    async with attacked(tmp_path, "") as attacker:
        for row in filter(has_model, ROUTES):
            assert isinstance(row.body, type)
            good = good_body(row.body)
            for name, value in itertools.product(row.body.model_fields, too_long):
                status = await attacker.ask(row, json={**good, name: value}, headers={"If-Match": "*"})
                assert status >= 400, (route(row), name, str(value)[:50])


async def test_bodies_that_are_too_large(tmp_path: Any) -> None:
    async with attacked(tmp_path, "") as attacker:
        for row in (row for row in ROUTES if row.body):
            kind = row.body if isinstance(row.body, str) else "application/json"
            headers = {"Content-Type": str(kind), "If-Match": "*"}
            status = await attacker.ask(row, data=b" " * (BODY_LIMIT + 1), headers=headers)
            assert status == 413 or (status == 404 and "{resource}" in row.path), route(row)


async def test_methods(tmp_path: Any) -> None:
    """RFC 9110 section 15.5.6: what a path does not do is 405; a header does not make it another method."""
    async with attacked(tmp_path, "") as attacker:
        known: dict[str, set[str]] = {}
        for row in ROUTES:
            known.setdefault(row.path, set()).add(row.method)
        for row in {row.path: row for row in ROUTES}.values():
            for method in METHODS:
                if method in known[row.path] or (method == "HEAD" and "GET" in known[row.path]) or method == "CONNECT":
                    continue
                status = await attacker.ask(row, method=method, headers={"X-HTTP-Method-Override": "DELETE"})
                assert status in (204, 400, 403, 405), (method, row.path)
                assert status != 204 or method == "OPTIONS", (method, row.path)


@of(row for row in ROUTES if row.path.startswith(ROOM_IN_PATH))
async def test_a_token_of_one_room_gets_the_same_no_for_another_whether_it_is_there_or_not(
    tmp_path: Any, row: Route
) -> None:
    async with served(tmp_path, rate_limit_rpm=100_000) as server:
        operator = person(server, "ops", "operator")
        assert await operator.status("POST", "/api/v1/rooms", {"id": "den", "name": "Den"}) == 201
        if row.method in ("GET", "HEAD", "OPTIONS") and not row.errors:
            return  # it says the same of any room, to anybody
        thief = person(server, "eve", "owner", room="other", room_join=True, room_admin=True)
        body = {"json": good_body(row.body)} if isinstance(row.body, type) else {"data": b"v=0"} if row.body else {}  # type: ignore[arg-type]
        told = []
        for room in ("den", "nowhere"):
            path = filled(row.path).replace("/den", f"/{room}", 1)
            headers = {**thief.headers, "If-Match": "*"}
            if isinstance(row.body, str):
                headers["Content-Type"] = row.body
            response, answer = await server.ask(path, row.method, headers=headers, **body)
            assert response.status in (401, 403, 404), (path, answer)
            told.append(
                (response.status, [json.loads(answer)[name] for name in ("code", "detail")] if answer else None)
            )
        assert told[0] == told[1]
        assert await operator.status("GET", "/api/v1/rooms/den") == 200
