import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import standardwebhooks

from signaling.clock import SYSTEM_CHANCE
from signaling.errors import StorageUnavailable
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from signaling.storage import api_keys, outbox
from signaling.storage.api_keys import KeyOrder
from signaling.storage.webhook_record import FROM_SETTINGS
from tests.signaling.api.test_rooms import ROOMS, Caller
from tests.signaling.fakes import FakeCarrier, receive
from tests.signaling.serving import served
from tests.signaling.webhooks.receiver import receiver_thread
from tests.support.patience import PATIENCE

HOOKS = "/api/v1/webhooks"
EVENTS = "/api/v1/events"
URL = "http://127.0.0.1:9/hook"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = {"webhook_allow_private": True}


async def heard(receiver, count):
    await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.accepted()) >= count)
    return [one.event for one in receiver.accepted()]


async def test_a_webhook_is_made_seen_changed_and_deleted(tmp_path):
    async with served(tmp_path, **PRIVATE) as server:
        ana = Caller(server, role="operator")
        response, made = await ana.ask("POST", HOOKS, {"url": URL, "events": ["room.*"], "description": "Bot"})
        one = f"{HOOKS}/{made['id']}"
        assert (response.status, response.headers["Location"], response.headers["ETag"]) == (201, one, '"1"')
        assert (made["created_by"], made["secrets"], made["events"], made["enabled"]) == ("ana", 1, ["room.*"], True)
        assert made["secret"].startswith("whsec_")
        response, seen = await ana.ask("GET", one)
        assert (seen, response.headers["ETag"]) == ({k: v for k, v in made.items() if k != "secret"}, '"1"')
        assert (await ana.ask("GET", HOOKS))[1] == {"items": [seen], "next_cursor": None}
        assert await ana.status("PATCH", one, {"enabled": False}) == 428
        assert await ana.status("PATCH", one, {"enabled": False}, If_Match='"7"') == 412
        response, changed = await ana.ask("PATCH", one, {"enabled": False, "url": URL + "2"}, If_Match='"1"')
        assert (changed["disabled_reason"], changed["url"], response.headers["ETag"]) == ("operator", URL + "2", '"2"')
        assert await ana.status("DELETE", one, If_Match='"1"') == 412
        assert await ana.status("DELETE", one, If_Match='"2"') == 204
        assert await ana.status("GET", one) == 404


async def test_secrets_are_shown_once_and_rotated(tmp_path):
    with receiver_thread() as receiver:
        async with served(tmp_path, **PRIVATE) as server:
            ana = Caller(server, role="operator")
            _, made = await ana.ask("POST", HOOKS, {"url": receiver.url, "secret": SECRET})
            one = f"{HOOKS}/{made['id']}"
            assert made["secret"] == SECRET
            _, rotated = await ana.ask("POST", f"{one}/secrets", {})
            assert (rotated["secrets"], rotated["secret"] != SECRET) == (2, True)
            _, answer = await ana.ask("POST", f"{one}/test")
            assert (answer["result"], answer["status"]) == ("delivered", 204)
            (first,) = receiver.requests
            for secret in (SECRET, rotated["secret"]):
                told = standardwebhooks.Webhook(secret).verify(first.body, first.headers)
                assert (told["type"], told["id"]) == ("webhook.test", answer["id"])
            assert await ana.status("DELETE", f"{one}/secrets") == 204
            await ana.ask("POST", f"{one}/test")
            second = receiver.requests[1]
            with pytest.raises(standardwebhooks.WebhookVerificationError):
                standardwebhooks.Webhook(SECRET).verify(second.body, second.headers)
            standardwebhooks.Webhook(rotated["secret"]).verify(second.body, second.headers)
            assert "whsec" not in json.dumps((await ana.ask("GET", HOOKS))[1])


async def test_rooms_are_told_of_and_told_again(tmp_path):
    with receiver_thread() as receiver:
        async with served(tmp_path, **PRIVATE) as server:
            ana = Caller(server, role="operator")
            _, made = await ana.ask("POST", HOOKS, {"url": receiver.url})
            await ana.ask("POST", ROOMS, {"id": "den", "name": "The den", "password": "s3cret"})
            await ana.ask("DELETE", f"{ROOMS}/den")
            told = await heard(receiver, 2)
            assert [(one["type"], one["room"], one["seq"], one["data"]["by"]) for one in told] == [
                ("room.created", "den", 1, "ana"),
                ("room.deleted", "den", 2, "ana"),
            ]
            assert told[0]["data"]["room"]["name"] == "The den"
            assert "s3cret" not in json.dumps(told)
            _, page = await ana.ask("GET", EVENTS)
            assert page["items"] == told
            assert await ana.status("POST", f"{HOOKS}/{made['id']}/replay?after=1") == 202
            assert (await heard(receiver, 3))[2] == told[1]
            assert await ana.status("POST", f"{HOOKS}/{made['id']}/replay") == 400


async def test_calls_are_told_of_too(tmp_path):
    with receiver_thread() as receiver:
        async with served(tmp_path, **PRIVATE) as server:
            await Caller(server, role="operator").ask("POST", HOOKS, {"url": receiver.url, "events": ["call.*"]})
            conversation, clock, line = server.app[GATEWAY].conversation, server.app[CLOCK], FakeCarrier()
            token = server.app[TOKENS].issue("ben", grants=Grants.for_room("den"), utc=clock.utc())
            conversation.open(line, clock.now(), token)
            receive(conversation, line, '{"type": "join", "payload": {"room": "den"}}', clock.now())
            assert [(one["type"], one["room"]) for one in await heard(receiver, 1)] == [("call.started", "den")]
            receive(conversation, line, '{"type": "leave"}', clock.now())
            conversation.lost(line, clock.now())
            assert [one["type"] for one in await heard(receiver, 2)] == ["call.started", "call.ended"]


async def test_events_in_pages_by_room_and_kind(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        for name in ("a", "b", "c"):
            await ana.ask("POST", ROOMS, {"id": name, "name": name})
        await ana.ask("DELETE", f"{ROOMS}/a")
        _, page = await ana.ask("GET", f"{EVENTS}?limit=3")
        assert ([one["position"] for one in page["items"]], page["next_after"], page["more"]) == ([1, 2, 3], 3, True)
        _, rest = await ana.ask("GET", f"{EVENTS}?after={page['next_after']}&limit=3")
        assert ([one["type"] for one in rest["items"]], rest["more"], rest["oldest"]) == (["room.deleted"], False, 1)
        _, of_room = await ana.ask("GET", f"{EVENTS}?room=a&after=1")
        assert [one["position"] for one in of_room["items"]] == [4]
        _, of_kind = await ana.ask("GET", f"{EVENTS}?event=room.deleted")
        assert [one["position"] for one in of_kind["items"]] == [4]
        for wrong in (
            "after=-1",
            "limit=0",
            "limit=201",
            "event=zoo",
            "event=",
            "room=%00",
            "room=a%0A",
            "x=1",
            "after=1&after=2",
        ):
            assert await ana.status("GET", f"{EVENTS}?{wrong}") == 400


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"url": ""},
        {"url": "https://127.0.0.1/"},
        {"url": "https://localhost/"},
        {"url": "http://192.0.2.1/"},
        {"url": "https://[::ffff:169.254.169.254]/"},
        {"url": "https://2130706433/"},
        {"url": "https://192.0.2.1.example/", "events": []},
        {"url": "https://a.example/", "events": ["room.exploded"]},
        {"url": "https://a.example/", "secret": "hunter2"},
        {"url": "https://a.example/", "created_by": "eve"},
        {"url": "https://a.example/", "description": "x" * 1001},
    ],
)
async def test_what_cannot_be_a_webhook_is_refused(tmp_path, order):
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        response, told = await ana.ask("POST", HOOKS, order)
        assert (response.status, told["code"]) == (400, "bad_message")
        assert "hunter2" not in json.dumps(told)


async def test_a_webhook_is_not_led_to_a_private_address_later(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        _, made = await ana.ask("POST", HOOKS, {"url": "https://1.1.1.1/", "enabled": False})
        for url in ("https://10.0.0.1/", "https://localhost/", "https://[::1]/", "http://1.1.1.1/"):
            assert await ana.status("PATCH", f"{HOOKS}/{made['id']}", {"url": url}, If_Match="*") == 400
        assert (await ana.ask("GET", f"{HOOKS}/{made['id']}"))[1]["url"] == "https://1.1.1.1/"


@pytest.mark.parametrize("name", ["%ED%A0%80", "%FF", "a%0Ab", "x" * 65, "..%2F.."])
async def test_an_id_that_nothing_has_is_not_found(tmp_path, name):
    async with served(tmp_path) as server:
        assert await Caller(server, role="operator").status("GET", f"{HOOKS}/{name}") == 404


CALLS = (
    ("GET", HOOKS, None),
    ("POST", HOOKS, {"url": URL}),
    ("GET", f"{HOOKS}/x", None),
    ("PATCH", f"{HOOKS}/x", {"enabled": True}),
    ("DELETE", f"{HOOKS}/x", None),
    ("POST", f"{HOOKS}/x/secrets", {}),
    ("DELETE", f"{HOOKS}/x/secrets", None),
    ("POST", f"{HOOKS}/x/test", None),
    ("POST", f"{HOOKS}/x/replay?after=0", None),
    ("GET", EVENTS, None),
)


async def test_who_may(tmp_path):
    async with served(tmp_path, **PRIVATE) as server:
        owner = Caller(server, "eve", "owner", room="den", room_create=True, room_list=True)
        operator = Caller(server, role="operator")
        for method, path, body in CALLS:
            assert await owner.status(method, path, body, If_Match="*") == 403
            expected = {HOOKS: (200, 201), EVENTS: (200,)}.get(path, (404,))
            assert await operator.status(method, path, body, If_Match="*") in expected


async def test_a_service_may_what_its_key_says(tmp_path):
    async with served(tmp_path, **PRIVATE) as server:

        async def with_key(scopes, rooms=None):
            order = KeyOrder(name="bot", created_by="ana", scopes=scopes, rooms=rooms)
            async with server.app[DATABASE].transaction() as connection:
                _, text = await api_keys.create(connection, order, datetime.now(UTC), SYSTEM_CHANCE)
            caller = Caller(server)
            caller.headers = {"Authorization": f"Bearer {text}"}
            return caller

        reader = await with_key(["event.read"])
        assert (await reader.status("GET", EVENTS), await reader.status("GET", HOOKS)) == (200, 403)
        bound = await with_key(["event.read"], ["den"])
        assert (await bound.status("GET", EVENTS), await bound.status("GET", f"{EVENTS}?room=den")) == (403, 200)
        keeper = await with_key(["webhook.*"])
        _, made = await keeper.ask("POST", HOOKS, {"url": URL})
        assert made["created_by"].startswith("apikey:")


async def test_the_webhook_of_the_settings_is_there_and_is_changed_there(tmp_path):
    with receiver_thread() as receiver:
        chosen = {**PRIVATE, "webhook_url": receiver.url, "webhook_secret": SECRET}
        async with served(tmp_path, **chosen) as server:
            ana = Caller(server, role="operator")
            (made,) = (await ana.ask("GET", HOOKS))[1]["items"]
            assert (made["id"], made["url"]) == (FROM_SETTINGS, receiver.url)
            one = f"{HOOKS}/{FROM_SETTINGS}"
            assert await ana.status("PATCH", one, {"enabled": False}, If_Match="*") == 403
            assert await ana.status("DELETE", one) == 403
            await ana.ask("POST", ROOMS, {"id": "den", "name": "Den"})
            await heard(receiver, 1)
            standardwebhooks.Webhook(SECRET).verify(receiver.requests[0].body, receiver.requests[0].headers)
    async with served(tmp_path) as server:
        assert (await Caller(server, role="operator").ask("GET", HOOKS))[1]["items"] == []


async def test_a_room_that_cannot_be_made_is_not_told_of(tmp_path):
    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        for _ in range(2):
            await ana.ask("POST", ROOMS, {"id": "den", "name": "Den"})
        assert len((await ana.ask("GET", EVENTS))[1]["items"]) == 1


async def test_a_change_that_cannot_be_told_of_is_not_made(tmp_path, monkeypatch):
    async def full(*_):
        raise StorageUnavailable("no space left")

    async with served(tmp_path) as server:
        ana = Caller(server, role="operator")
        await ana.ask("POST", ROOMS, {"id": "attic", "name": "Attic"})
        monkeypatch.setattr(outbox, "append", full)
        assert await ana.status("POST", ROOMS, {"id": "den", "name": "Den"}) == 503
        assert await ana.status("DELETE", f"{ROOMS}/attic") == 503
        assert (await ana.status("GET", f"{ROOMS}/den"), await ana.status("GET", f"{ROOMS}/attic")) == (404, 200)


async def test_without_the_database_it_is_503(tmp_path, monkeypatch):
    @asynccontextmanager
    async def away():
        raise StorageUnavailable("no route to db.internal")
        yield

    async with served(tmp_path, **PRIVATE) as server:
        monkeypatch.setattr(server.app[DATABASE], "transaction", away)
        monkeypatch.setattr(server.app[DATABASE], "reading", away)
        operator = Caller(server, role="operator")
        for method, path, body in CALLS:
            response, told = await operator.ask(method, path, body, If_Match="*")
            assert (response.status, told["code"]) == (503, "storage_unavailable")


async def test_the_metrics_count_attempts(tmp_path):
    with receiver_thread() as receiver:
        async with served(tmp_path, **PRIVATE) as server:
            ana = Caller(server, role="operator")
            await ana.ask("POST", HOOKS, {"url": receiver.url})
            await ana.ask("POST", ROOMS, {"id": "den", "name": "Den"})
            await heard(receiver, 1)
            async with asyncio.timeout(PATIENCE):
                while b'parley_webhook_attempts_total{result="delivered"} 1.0' not in (await server.ask("/metrics"))[1]:
                    pass
