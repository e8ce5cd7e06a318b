from datetime import timedelta

import orjson
import pytest

from signaling.call.acting import Act, check, notice, record
from signaling.errors import ClientMistake
from signaling.identity.asker import Asker
from signaling.identity.permissions import Service
from tests.signaling.fakes import House

GAME = Service(frozenset({"participant.mute"}), None, "abc")


def act(holder: Service = GAME, **changes: object) -> Act:
    asker = Asker(holder=holder, address="192.0.2.9", **changes.pop("asker", {}))  # type: ignore[arg-type]
    values = {"actor": asker, "permission": "participant.mute", "action": "mute", "room_id": "lobby", **changes}
    return Act(**values)  # type: ignore[arg-type]


def test_the_table_is_asked_for_the_room_and_the_role_of_the_other() -> None:
    check(act(), "owner")
    for wrong, target in (
        (act(), "operator"),
        (act(permission="participant.kick"), "member"),
        (act(Service(frozenset({"*"}), frozenset({"den"}))), "member"),
    ):
        with pytest.raises(ClientMistake) as caught:
            check(wrong, target)  # type: ignore[arg-type]
        assert caught.value.code == "forbidden"


def test_who_acts_from_outside_or_hidden_is_not_named() -> None:
    house = House().talk
    told = [
        orjson.loads(notice(house, act(asker=asker)).body)["by"]
        for asker in ({}, {"participant_id": "p1"}, {"participant_id": "p1", "hidden": True})
    ]
    assert told == [None, "p1", None]


def test_what_is_for_a_time_says_until_when() -> None:
    house = House()
    assert act().until(house.utc()) is None
    assert act(seconds=60).until(house.utc()) == house.utc() + timedelta(seconds=60)
    assert orjson.loads(notice(house.talk, act(seconds=60)).body)["until"] == "2026-01-01T00:01:00.000Z"
    assert "until" not in orjson.loads(notice(house.talk, act()).body)


def test_the_trail_has_who_from_where_and_what() -> None:
    house = House()
    record(house.talk, act(reason="noise", seconds=60), "ana")
    (event,) = house.audit.events
    assert (event.actor, event.actor_role, event.address) == ("apikey:abc", "service", "192.0.2.9")
    assert (event.action, event.room, event.target, event.reason) == ("participant.mute", "lobby", "ana", "noise")
    assert event.until == house.utc() + timedelta(seconds=60)
