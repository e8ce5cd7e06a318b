from dataclasses import replace

import pytest

from signaling.errors import ClientMistake
from signaling.storage import deliveries, webhooks
from signaling.storage.webhook_record import (
    FROM_SETTINGS,
    MOST_WEBHOOKS,
    WebhookFields,
    check_webhook,
    may_be_id,
    named,
    refuse_from_settings,
    with_secret,
)
from signaling.webhooks.signing import new_secret
from tests.signaling.storage.samples import at, seeded
from tests.signaling.storage.test_outbox import add, event

FIELDS = WebhookFields(url="https://example.org/hook")


@pytest.mark.parametrize(
    "wrong",
    [{"url": ""}, {"url": "x" * 2049}, {"description": "x" * 1001}, {"description": "\0"}, {"events": ("zoo",)}],
)
def test_what_cannot_be_kept_is_refused(wrong):
    check_webhook(FIELDS)
    with pytest.raises(ClientMistake) as caught:
        check_webhook(replace(FIELDS, **wrong))
    assert caught.value.code == "bad_message"


def test_who_disables_it_is_its_reason():
    assert named({"enabled": False}) == {"enabled": False, "disabled_reason": "operator"}
    assert named({"enabled": True}) == {"enabled": True, "disabled_reason": None}
    assert named({"events": ["room.*", "room.*"]}) == {"events": ("room.*",)}


def test_only_what_is_chosen_changes():
    with pytest.raises(ClientMistake, match="position"):
        named({"position": 0})


def test_a_new_secret_comes_first_and_a_fourth_one_ends_the_oldest():
    random = seeded()
    secrets = [new_secret(random) for _ in range(4)]
    kept = ()
    for secret in secrets:
        kept = with_secret(kept, secret)
    assert kept == (secrets[3], secrets[2], secrets[1])
    assert with_secret(kept, secrets[2]) == (secrets[2], secrets[3], secrets[1])


def test_an_id_is_one_that_can_be_kept():
    assert may_be_id(FROM_SETTINGS)
    assert not any(map(may_be_id, ("", "\0", "a b", "x" * 65, "a\n")))


def test_the_webhook_of_the_settings_is_changed_there():
    with pytest.raises(ClientMistake) as caught:
        refuse_from_settings(FROM_SETTINGS)
    assert caught.value.code == "forbidden"
    refuse_from_settings("another")


URL = "https://example.org/hook"
_chance = seeded(5)


def a_secret():
    return new_secret(_chance)


async def a_webhook(database, seconds=0, secret=None, **chosen):
    fields = WebhookFields(**{"url": URL, **chosen})
    async with database.transaction() as connection:
        return await webhooks.create(connection, fields, secret or a_secret(), "ana", (at(seconds), _chance))


async def read(database, webhook_id):
    async with database.reading() as connection:
        return await webhooks.get(connection, webhook_id)


async def test_a_webhook_is_made_changed_and_deleted(database):
    await add(database, event(), event())
    made = await a_webhook(database, events=("room.*", "call.ended"))
    assert (made.position, made.version, made.events) == (2, 1, ("call.ended", "room.*"))
    assert await read(database, made.id) == made
    async with database.transaction() as connection:
        changes = {"description": "Guild bot", "enabled": False}
        changed = await webhooks.change(connection, made.id, changes, 1, at(1))
        assert (changed.version, changed.disabled_reason, changed.updated_at) == (2, "operator", at(1))
        assert await webhooks.enabled(connection) == []
        with pytest.raises(ClientMistake) as caught:
            await webhooks.change(connection, made.id, {}, 1, at(2))
        assert (caught.value.code, caught.value.details) == ("stale", {"version": 2})
        again = await webhooks.change(connection, made.id, {"enabled": True}, None, at(2))
        assert (again.enabled, again.disabled_reason) == (True, None)
        assert await webhooks.enabled(connection) == [again]
        with pytest.raises(ClientMistake):
            await webhooks.remove(connection, made.id, 1)
        assert await webhooks.remove(connection, made.id, 3) == again
        assert await webhooks.every(connection) == []
    for unknown in (made.id, "", "\0", "\ud800", "x" * 65, "a b"):
        with pytest.raises(ClientMistake, match="no such webhook"):
            await read(database, unknown)


async def test_secrets_are_added_and_dropped(database):
    first, second = a_secret(), a_secret()
    made = await a_webhook(database, secret=first)
    async with database.transaction() as connection:
        assert (await webhooks.rotate(connection, made.id, second, at(1))).secrets == (second, first)
        assert (await webhooks.drop_old_secrets(connection, made.id, at(2))).secrets == (second,)


async def test_the_newest_comes_first_and_there_are_not_too_many(database):
    made = [await a_webhook(database, seconds) for seconds in range(MOST_WEBHOOKS)]
    async with database.reading() as connection:
        assert await webhooks.every(connection) == made[::-1]
    with pytest.raises(ClientMistake, match="50 webhooks already"):
        await a_webhook(database)


async def test_whoever_works_on_a_lane_lets_go_when_the_webhook_changes(database):
    made = await a_webhook(database)
    await add(database, event())
    async with database.transaction() as connection:
        await deliveries.spread(connection, made.id)
        (lane,) = await deliveries.claim(connection, made.id, at(0), at(30) - at(0), 9)
        await webhooks.change(connection, made.id, {"url": URL + "/new"}, None, at(1))
        assert not await deliveries.save(connection, lane, lane)
        assert [one.room_id for one in await deliveries.claim(connection, made.id, at(1), at(30) - at(0), 9)] == [
            "lobby"
        ]


async def test_a_target_that_gives_up_is_disabled_once(database):
    made = await a_webhook(database)
    async with database.transaction() as connection:
        await webhooks.disable(connection, made.id, "gone", at(1))
        await webhooks.disable(connection, made.id, "gave_up", at(2))
        found = await webhooks.get(connection, made.id)
    assert (found.enabled, found.disabled_reason, found.version, found.updated_at) == (False, "gone", 2, at(1))


async def test_the_settings_keep_one_of_their_own(database):
    async def keep(url, secret):
        async with database.transaction() as connection:
            await webhooks.keep_settings(connection, url, secret, at(0))
            return await webhooks.every(connection)

    first, second = a_secret(), a_secret()
    assert await keep("", "") == []
    (made,) = await keep(URL, first)
    assert (made.id, made.created_by, made.url, made.secrets) == (FROM_SETTINGS, FROM_SETTINGS, URL, (first,))
    assert await keep(URL, first) == [made]
    (changed,) = await keep(URL + "/2", second)
    assert (changed.url, changed.secrets, changed.version) == (URL + "/2", (second,), 2)
    async with database.transaction() as connection:
        await webhooks.disable(connection, made.id, "gone", at(1))
        for work in (
            webhooks.change(connection, made.id, {"enabled": True}, None, at(1)),
            webhooks.rotate(connection, made.id, first, at(1)),
            webhooks.drop_old_secrets(connection, made.id, at(1)),
            webhooks.remove(connection, made.id),
        ):
            with pytest.raises(ClientMistake, match="settings"):
                await work
    assert [one.enabled for one in await keep(URL + "/2", second)] == [True]
    assert await keep("", "") == []
