import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel, ConfigDict
from structlog.testing import capture_logs

from signaling.errors import ERRORS, ClientMistake
from signaling.http.problems import CONTENT_TYPE, REQUEST_ID, problems, read_body, refuse


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int


def application(handler, method="GET"):
    @web.middleware
    async def name_it(request, handler):
        request[REQUEST_ID] = "r-1"
        return await handler(request)

    app = web.Application(middlewares=[name_it, problems], client_max_size=100)
    app.router.add_route(method, "/", handler)
    return app


async def answer(handler, method="GET", **options):
    async with TestClient(TestServer(application(handler, method))) as client:
        response = await client.request(options.pop("use", method), options.pop("path", "/"), **options)
        text = await response.read()
        return response, json.loads(text) if response.content_type.endswith("json") else text


async def test_a_refusal_is_a_problem_as_rfc_9457_describes():
    async def handler(_request):
        refuse("rate_limited", "Slowly.", {"retry_after": 7})

    response, body = await answer(handler)
    assert response.status == 429
    assert response.content_type == CONTENT_TYPE
    assert response.headers["Retry-After"] == "7"
    assert body == {
        "type": "about:blank",
        "title": ERRORS["rate_limited"].sentence,
        "status": 429,
        "code": "rate_limited",
        "detail": "Slowly.",
        "request_id": "r-1",
        "details": {"retry_after": 7},
    }


async def test_rfc_6585_section_4_who_is_too_fast_always_hears_when_to_come_again():
    async def handler(_request):
        raise ClientMistake("rate_limited")

    response, _ = await answer(handler)
    assert (response.status, response.headers["Retry-After"]) == (429, "1")


async def test_a_mistake_of_the_protocol_has_the_same_shape():
    async def handler(_request):
        raise ClientMistake("room_full")

    response, body = await answer(handler)
    assert (response.status, body["code"], "Retry-After" in response.headers) == (409, "room_full", False)


async def test_our_own_mistakes_tell_nothing():
    async def handler(_request):
        raise ZeroDivisionError("secret detail")

    with capture_logs() as lines:
        response, body = await answer(handler)
    assert lines[0]["event"] == "request_failed"
    assert (response.status, body["code"]) == (500, "internal")
    assert "secret" not in json.dumps(body)


async def test_absent_pages_and_methods_are_problems():
    async def handler(_request):
        return web.Response()

    response, body = await answer(handler, path="/none")
    assert (response.status, body["code"]) == (404, "not_found")
    response, body = await answer(handler, use="PUT")
    assert (response.status, body["code"], response.headers["Allow"]) == (405, "method_not_allowed", "GET")


@pytest.mark.parametrize(("status", "code"), [(400, "bad_message"), (418, "bad_message"), (503, "internal")])
async def test_other_refusals_of_aiohttp_get_a_code(status, code):
    async def handler(_request):
        error = web.HTTPException()
        error.set_status(status)
        raise error

    _, body = await answer(handler)
    assert body["code"] == code


async def test_a_redirect_passes():
    async def handler(_request):
        raise web.HTTPFound("/there")

    response, _ = await answer(handler, allow_redirects=False)
    assert response.status == 302


async def test_a_client_that_is_gone_is_no_mistake():
    async def handler(_request):
        raise ConnectionResetError("gone")

    with capture_logs() as lines:
        await answer(handler)
    assert [(line["event"], line["log_level"]) for line in lines] == [("client_gone", "debug")]


@pytest.mark.parametrize(
    ("body", "headers", "code", "status"),
    [
        (b'{"number": 1}', {"Content-Type": "text/plain"}, "unsupported_media_type", 415),
        (b'{"number": "1"}', {"Content-Type": "application/json"}, "bad_message", 400),
        (b'{"number": 1, "x": 2}', {"Content-Type": "application/json"}, "bad_message", 400),
        (b"[", {"Content-Type": "application/json"}, "bad_message", 400),
        (b"", {"Content-Type": "application/json"}, "bad_message", 400),
        (b" " * 200, {"Content-Type": "application/json"}, "too_large", 413),
    ],
)
async def test_bodies_that_are_refused(body, headers, code, status):
    async def handler(request):
        await read_body(request, Wanted, 5.0)
        return web.Response()

    response, answered = await answer(handler, "POST", data=body, headers=headers)
    assert (response.status, answered["code"]) == (status, code)


async def test_a_body_that_fits_is_read():
    async def handler(request):
        wanted = await read_body(request, Wanted, 5.0)
        return web.json_response(wanted.number)

    _, body = await answer(handler, "POST", json={"number": 5})
    assert body == 5


async def test_a_body_that_does_not_come_is_a_timeout():
    async def handler(request):
        await read_body(request, Wanted, 0.01)

    async with TestServer(application(handler, "POST")) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
        assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("raised", "code"), [(web.HTTPNotFound, "not_found"), (web.HTTPRequestTimeout, "timeout")])
async def test_an_error_of_aiohttp_gets_the_code_of_the_table(raised, code):
    async def handler(_request):
        raise raised

    async with TestServer(application(handler)) as server, TestClient(server) as client:
        response = await client.get("/")
        assert response.status == ERRORS[code].status
        assert (await response.json())["code"] == code
