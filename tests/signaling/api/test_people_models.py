from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from signaling.api.people_models import HistoryQuery, PageQuery, ParticipantsPage, PresenceView
from signaling.call.rooms import Participant
from signaling.errors import ClientMistake
from signaling.storage.calls import Presence
from tests.signaling.fakes import START


def people() -> list[Participant]:
    return [
        Participant(
            id=f"p{number}",
            identity=f"i{number}",
            name="n",
            role="member",
            room_id="den",
            joined_at=START + timedelta(seconds=number // 2),
            state="joined",
        )
        for number in range(4)
    ]


def test_pages_of_participants() -> None:
    seen, cursor = [], None
    while True:
        page = ParticipantsPage.of(people(), "den", PageQuery(limit=2, cursor=cursor))
        seen.append([one.id for one in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [["p0", "p1"], ["p2", "p3"]]


def test_a_page_goes_on_where_somebody_has_left() -> None:
    first = ParticipantsPage.of(people(), "den", PageQuery(limit=2))
    stayed = [one for one in people() if one.id != "p1"]
    after = ParticipantsPage.of(stayed, "den", PageQuery(cursor=first.next_cursor))
    assert [one.id for one in after.items] == ["p2", "p3"]


def test_a_cursor_holds_for_its_room_and_an_empty_room_has_nobody() -> None:
    first = ParticipantsPage.of(people(), "den", PageQuery(limit=1))
    with pytest.raises(ClientMistake, match="cursor"):
        ParticipantsPage.of([], "other", PageQuery(cursor=first.next_cursor))
    assert ParticipantsPage.of([], "den", PageQuery()).model_dump() == {"items": [], "next_cursor": None}


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
