from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from signaling.api.people_models import HistoryQuery, PageQuery, ParticipantsPage, PresenceView
from signaling.call.rooms import Participant, RoomDirectory, RoomPolicy
from signaling.errors import ClientMistake
from signaling.storage.calls import Presence
from tests.signaling.fakes import START


def directory(count: int = 5) -> RoomDirectory:
    rooms = RoomDirectory(RoomPolicy())
    for number in range(count):
        hidden, at = number == 1, START + timedelta(seconds=number // 2)
        person = Participant(
            id=f"p{number}",
            identity=f"i{number}",
            name="n",
            role="member",
            room_id="den",
            joined_at=at,
            hidden=hidden,
        )
        rooms.admit(person, RoomPolicy())
    return rooms


def test_pages_of_who_is_in_without_the_hidden() -> None:
    room = directory().find("den")
    seen, cursor = [], None
    while True:
        page = ParticipantsPage.of(room, "den", PageQuery(limit=2, cursor=cursor))
        seen.append([one.id for one in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [["p0", "p2"], ["p3", "p4"]]


def test_a_page_goes_on_where_somebody_has_left() -> None:
    rooms = directory()
    first = ParticipantsPage.of(rooms.find("den"), "den", PageQuery(limit=2))
    gone = rooms.participant("p2")
    assert gone is not None
    rooms.remove(gone)
    after = ParticipantsPage.of(rooms.find("den"), "den", PageQuery(cursor=first.next_cursor))
    assert [one.id for one in after.items] == ["p3", "p4"]


def test_a_cursor_holds_for_its_room_and_an_empty_room_has_nobody() -> None:
    first = ParticipantsPage.of(directory().find("den"), "den", PageQuery(limit=1))
    with pytest.raises(ClientMistake, match="cursor"):
        ParticipantsPage.of(None, "other", PageQuery(cursor=first.next_cursor))
    assert ParticipantsPage.of(None, "den", PageQuery()).model_dump() == {"items": [], "next_cursor": None}


def test_times_of_a_query_have_a_zone_and_are_in_utc() -> None:
    query = HistoryQuery.model_validate_strings({"since": "2026-01-01T02:00:00+02:00", "identity": "ana"})
    wanted = query.wanted("den")
    assert (wanted.room_id, wanted.identity, wanted.since, wanted.until) == ("den", "ana", START, None)
    for wrong in ("2026-01-01T00:00:00", "yesterday", "9999-12-31T23:59:59-10:00"):
        with pytest.raises(ValidationError):
            HistoryQuery.model_validate_strings({"until": wrong})


def test_where_somebody_came_from_is_for_who_reads_the_trail() -> None:
    presence = Presence(
        id="p",
        call_id="c",
        room_id="den",
        node="n",
        identity="ana",
        name="Ana",
        role="member",
        joined_at=datetime(2026, 1, 1, tzinfo=UTC),
        address="192.0.2.1",
        user_agent="Firefox",
    )
    full, short = PresenceView.of(presence, full=True), PresenceView.of(presence, full=False)
    assert (full.address, full.user_agent) == ("192.0.2.1", "Firefox")
    assert (short.address, short.user_agent) == (None, None)
