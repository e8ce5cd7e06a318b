from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from signaling.cli import room
from signaling.errors import Refusal, StorageUnavailable
from signaling.settings.settings import Settings
from signaling.storage.database import Database
from signaling.storage.room_record import RoomFields

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_rooms_are_made_listed_and_deleted(tmp_path):
    settings = Settings(data_dir=tmp_path)
    made = room.create(settings, RoomFields(name="The den", max_participants=5), "den", NOW)
    assert made.as_text() == "den  The den  (group, 5 participants at most)"
    other = room.create(settings, RoomFields(name="Other"), None, NOW)
    assert {room.id for room in room.listing(settings)} == {"den", other.id}
    assert room.listing(settings, "DEN") == [made]
    assert room.delete(settings, "den", NOW) == made
    assert room.listing(settings) == [other]


def test_all_pages_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MOST", 1)
    settings = Settings(data_dir=tmp_path)
    for name in ("a", "b", "c"):
        room.create(settings, RoomFields(name=name), name, NOW)
    assert len(room.listing(settings)) == 3


def test_what_cannot_be_is_a_refusal(tmp_path):
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(Refusal, match="no such room") as caught:
        room.delete(settings, "nowhere", NOW)
    assert caught.value.exit_code == 2


def test_a_database_that_is_away_is_a_refusal(tmp_path, monkeypatch):
    @asynccontextmanager
    async def away(_self):
        raise StorageUnavailable("gone")
        yield

    settings = Settings(data_dir=tmp_path)
    room.listing(settings)
    monkeypatch.setattr(Database, "transaction", away)
    with pytest.raises(Refusal, match="does not answer: gone") as caught:
        room.delete(settings, "den", NOW)
    assert caught.value.exit_code == 1
