from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from signaling.api.room_models import RoomChanges, RoomOrder, RoomQuery, RoomView
from signaling.storage.room_record import CHANGEABLE, Room


def test_the_fields_are_those_of_storage():
    assert {*RoomChanges.model_fields} - {"password"} == {*CHANGEABLE} - {"password_hash"}
    assert {*RoomView.model_fields} - {"has_password"} == {*CHANGEABLE, *Room.__dataclass_fields__} - {"password_hash"}


def test_defaults_are_those_of_storage():
    kept = {
        name: field.default for name, field in Room.__dataclass_fields__.items() if name in RoomChanges.model_fields
    }
    for name in {*kept} - {"name", "settings", "metadata"}:
        assert RoomChanges.model_fields[name].default == kept[name]


def test_only_what_is_named_changes():
    changes = RoomChanges.model_validate_json('{"name": " a\\u202e  b ", "password": "x", "guild_id": null}')
    assert changes.named() == {"name": "a b", "guild_id": None}
    assert RoomOrder(name="x", id="y").named() == {"name": "x"}


@pytest.mark.parametrize(
    "text",
    [
        '{"is_private": 1}',
        '{"max_participants": "5"}',
        '{"max_participants": true}',
        '{"room_type": "zoo"}',
        '{"password_hash": "x"}',
        '{"version": 2}',
        '{"scheduled_end": "2026-01-01T00:00:00"}',
        '{"scheduled_end": "9999-12-31T23:59:59-12:00"}',
        '{"settings": []}',
    ],
)
def test_what_is_of_the_wrong_type_or_not_to_be_chosen_is_refused(text):
    with pytest.raises(ValidationError):
        RoomChanges.model_validate_json(text, strict=True)


def test_times_are_kept_in_utc():
    changes = RoomChanges.model_validate_json('{"scheduled_end": "2026-01-01T02:00:00+02:00"}', strict=True)
    assert changes.scheduled_end == datetime(2026, 1, 1, tzinfo=UTC)
    assert RoomChanges.model_validate_json('{"scheduled_end": null}').scheduled_end is None


def test_a_view_has_no_password():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    room = Room(id="a", name="A", version=1, created_by=None, created_at=now, updated_at=now, password_hash="$argon2")
    told = RoomView.of(room).model_dump_json()
    assert '"has_password":true' in told
    assert "argon2" not in told


def test_a_query_takes_text():
    assert RoomQuery.model_validate_strings({"limit": "7", "type": "raid"}).limit == 7
    with pytest.raises(ValidationError):
        RoomQuery.model_validate_strings({"limit": "1000000"})
