from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from signaling.http.app_keys import TOKENS
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import STANDING_CLOCK, served

TOKENS_PATH, EXCHANGE = "/api/v1/tokens", "/auth/token"


def read(server, told):
    return server.app[TOKENS].verify(told["token"], datetime.now(UTC))


async def test_a_service_makes_a_token_that_lets_in(tmp_path):
    async with served(tmp_path) as server:
        game = await service(server, "token.issue")
        order = {"identity": "eve", "name": "Eve", "room": "den", "ttl": 60, "metadata": "team=red"}
        with capture_logs() as logs:
            response, told = await game.ask("POST", TOKENS_PATH, order)
        assert (response.status, told["expires_in"], told["token_type"]) == (201, 60, "Bearer")
        claims = read(server, told)
        assert (claims.identity, claims.name, claims.role, claims.metadata) == ("eve", "Eve", "member", "team=red")
        assert (claims.grants.room, claims.grants.room_join) == ("den", True)
        (line,) = [line for line in logs if line["event"] == "token_issued"]
        assert line["by"].startswith("apikey:")
        assert told["token"] not in str(logs)
        assert await Caller(server, told["token"]).status("GET", "/api/v1/rooms/den/participants") == 200


async def test_nobody_gives_what_they_have_not(tmp_path):
    async with served(tmp_path) as server:
        game, bound = await service(server, "token.issue"), await service(server, "*", rooms={"den"})
        operator, owner = person(server, role="operator"), person(server, role="owner", room="den")
        order = {"identity": "eve", "room": "den"}
        for who, changes, status in (
            (game, {}, 201),
            (game, {"role": "moderator"}, 403),
            (game, {"grants": {"roomCreate": True}}, 403),
            (game, {"invited": True}, 403),
            (bound, {"role": "owner", "invited": True}, 201),
            (bound, {"role": "operator"}, 403),
            (bound, {"room": "other"}, 403),
            (bound, {"room": None}, 403),
            (bound, {"grants": {"roomList": True}}, 403),
            (owner, {}, 403),
            (operator, {"role": "operator"}, 201),
            (Caller(server, None), {}, 401),
        ):
            assert await who.status("POST", TOKENS_PATH, order | changes) == status, changes


async def test_an_operator_has_a_token_made_and_repeats_the_request(tmp_path):
    async with served(tmp_path) as server:
        operator, order = person(server, role="operator"), {"identity": "eve", "room": "den"}
        _, first = await operator.ask("POST", TOKENS_PATH, order, Idempotency_Key="k")
        _, again = await operator.ask("POST", TOKENS_PATH, order, Idempotency_Key="k")
        assert first == again


@pytest.mark.parametrize("how", ["header", "body"])
async def test_an_api_key_is_exchanged_for_a_short_token(tmp_path, how):
    async with served(tmp_path) as server:
        game = await service(server, "token.issue")
        order = {"identity": "eve", "room": "den"}
        if how == "body":
            order["api_key"] = game.bearer
        response, told = await (game if how == "header" else Caller(server, None)).ask("POST", EXCHANGE, order)
        assert (response.status, told["expires_in"]) == (200, 600)
        assert read(server, told).identity == "eve"


async def test_only_an_api_key_is_exchanged(tmp_path):
    async with served(tmp_path) as server:
        order = {"identity": "eve", "room": "den"}
        nobody, operator = Caller(server, None), person(server, role="operator")
        assert await operator.code("POST", EXCHANGE, order) == (403, "forbidden")
        assert await nobody.code("POST", EXCHANGE, order) == (401, "unauthenticated")
        assert await nobody.code("POST", EXCHANGE, order | {"api_key": "x.y.z"}) == (401, "token_invalid")
        assert await nobody.code("POST", EXCHANGE, order | {"api_key": "parley_x"}) == (401, "token_invalid")
        weak = await service(server, "room.read")
        assert await weak.code("POST", EXCHANGE, order) == (403, "forbidden")


async def test_keys_that_are_tried_in_a_body_are_counted_too(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, failed_auths_per_minute=2) as server:
        nobody, order = Caller(server, None), {"identity": "eve", "api_key": "parley_guess"}
        found = [(await nobody.code("POST", EXCHANGE, order))[1] for _ in range(3)]
        assert found == ["token_invalid", "token_invalid", "rate_limited"]
