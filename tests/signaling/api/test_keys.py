from signaling.http.app_keys import GATEWAY
from signaling.identity.bearer_secrets import parse_api_key
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import served

KEYS = "/api/v1/api-keys"


async def test_a_key_is_made_used_listed_and_withdrawn(tmp_path):
    async with served(tmp_path) as server:
        operator = person(server, "ops", "operator")
        order = {"name": "game", "scopes": ["room.list"], "ttl": 3600}
        response, made = await operator.ask("POST", KEYS, order)
        assert (response.status, response.headers["Location"]) == (201, f"{KEYS}/{made['id']}")
        assert parse_api_key(made["key"]).prefix == made["prefix"]
        assert (made["created_by"], made["scopes"], made["rooms"]) == ("ops", ["room.list"], None)
        game = Caller(server, made["key"])
        assert await game.status("GET", "/api/v1/rooms") == 200
        _, page = await operator.ask("GET", KEYS)
        (listed,) = page["items"]
        assert listed["used_at"] is not None
        assert "key" not in listed
        assert made["key"].rpartition("_")[2] not in str(page)
        assert await operator.status("DELETE", f"{KEYS}/{made['id']}") == 204
        assert await game.code("GET", "/api/v1/rooms") == (401, "token_invalid"), "at once, not in some seconds"
        assert await operator.code("DELETE", f"{KEYS}/{made['id']}") == (404, "not_found")
        assert (await operator.ask("GET", KEYS))[1]["items"][0]["revoked_at"] is not None


async def test_only_operators_have_to_do_with_keys(tmp_path):
    async with served(tmp_path) as server:
        order = {"name": "game", "scopes": ["*"]}
        everything = await service(server, "*")
        for who in (person(server, role="owner", room="den"), everything):
            assert await who.code("POST", KEYS, order) == (403, "forbidden")
            assert await who.code("GET", KEYS) == (403, "forbidden")
            assert await who.code("DELETE", f"{KEYS}/x") == (403, "forbidden")


async def test_what_is_done_with_keys_leaves_a_trail(tmp_path, monkeypatch):
    async with served(tmp_path) as server:
        acts, operator = [], person(server, "ops", "operator")
        chronicle = type(server.app[GATEWAY].conversation.records.chronicle)
        monkeypatch.setattr(chronicle, "acted", lambda _self, event: acts.append(event))
        _, made = await operator.ask("POST", KEYS, {"name": "game", "scopes": ["*"]})
        await operator.ask("DELETE", f"{KEYS}/{made['id']}")
        told = [(act.action, act.actor, act.room, act.target, act.reason) for act in acts]
        target = f"apikey:{made['prefix']}"
        assert told == [(f"apikey.{verb}", "ops", None, target, "game") for verb in ("create", "revoke")]


async def test_a_name_that_is_too_long_is_refused_and_not_cut(tmp_path):
    async with served(tmp_path) as server:
        operator = person(server, "ops", "operator")
        for length, status in ((64, 201), (65, 400)):
            order = {"name": "x" * length, "scopes": ["*"]}
            assert await operator.status("POST", "/api/v1/api-keys", order) == status


async def test_an_unknown_scope_is_refused(tmp_path):
    async with served(tmp_path) as server:
        operator = person(server, role="operator")
        assert await operator.code("POST", KEYS, {"name": "x", "scopes": ["room.fly"]}) == (400, "bad_message")
        assert await operator.code("POST", KEYS, {"name": "", "scopes": ["*"]}) == (400, "bad_message")
