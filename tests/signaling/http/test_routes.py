import json

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from signaling.http.routes import Endpoint, add_endpoints, json_answer


class Answer(BaseModel):
    number: int


async def test_a_row_makes_a_route():
    async def handler(_request):
        return json_answer(Answer(number=1), status=201)

    app = web.Application()
    add_endpoints(app, [Endpoint("POST", "/x", handler, "Do it.", answers={201: Answer})])
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/x")
        assert response.status == 201
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert json.loads(await response.read()) == {"number": 1}
