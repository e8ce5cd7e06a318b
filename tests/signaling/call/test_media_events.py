from unittest.mock import Mock, call

from sfu.observer import SlotAssignment, Speaker
from signaling.call import media_events
from signaling.call.chronicle import LoggedChronicle
from signaling.call.records import Records
from tests.signaling.fakes import House, pid


def test_media_makes_a_participant_active_and_its_end_reconnecting() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    for _ in range(2):
        media_events.connected(house.talk, pid(ana), "host", house.now)
    for line in (ana, ben):
        assert line.take("participant-updated")["participant"]["state"] == "active"
    media_events.gone(house.talk, pid(ana), "consent_expired", house.now)
    assert ana.types == ["endpoint-gone", "participant-updated"]
    assert ana.frames[0]["payload"] == {"reason": "consent_expired"}
    assert ben.take("participant-updated")["participant"]["state"] == "reconnecting"


def test_media_that_fails_before_it_stood_changes_no_state() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    media_events.gone(house.talk, pid(ana), "dtls_timeout", house.now)
    assert ana.types == ["endpoint-gone"]
    assert ben.frames == []


def test_media_keeps_a_seat_whose_line_is_lost() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    who = pid(ana)
    media_events.connected(house.talk, who, "srflx", house.now)
    house.talk.lost(ana, house.now)
    ben.take()
    house.tick(400)
    media_events.gone(house.talk, who, "consent_expired", house.now)
    house.tick(59)
    assert ben.frames == []
    house.tick(1)
    assert ben.types == ["participant-left"]


def test_slots_and_arrival_go_to_one_and_speakers_to_all() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    media_events.slots_changed(house.talk, pid(ana), [SlotAssignment("1", pid(ben)), SlotAssignment("2", None, 0.5)])
    media_events.arriving(house.talk, pid(ana), True)
    assert [frame["payload"] for frame in ana.take()] == [
        {"slots": [{"mid": "1", "participant": pid(ben), "gain": 1.0}, {"mid": "2", "participant": None, "gain": 0.5}]},
        {"arriving": True},
    ]
    media_events.speakers_changed(house.talk, "lobby", [Speaker(pid(ana), 0.123456)])
    for line in (ana, ben):
        assert line.take("speakers") == {"speakers": [{"participant": pid(ana), "level": 0.1235}]}


def test_peer_connections_are_written_down() -> None:
    house = House()
    (ana,) = house.people("ana")
    book = Mock(spec=LoggedChronicle)
    house.talk.records = Records(chronicle=book)
    who = pid(ana)
    media_events.connection_began(house.talk, who)
    media_events.connected(house.talk, who, "srflx", house.now)
    media_events.connection_ended(house.talk, who, "flood", (1, 2))
    assert book.mock_calls == [
        call.media_began(who, house.utc()),
        call.media_connected(who, "srflx", house.utc()),
        call.media_ended(who, "flood", (1, 2), house.utc()),
    ]


def test_who_floods_is_told() -> None:
    house = House()
    (ana,) = house.people("ana")
    media_events.flooding(house.talk, pid(ana))
    assert ana.take("error")["code"] == "rate_limited"
    assert ana.closed is None


def test_news_of_those_who_have_left_is_passed_over() -> None:
    house = House()
    (ana,) = house.people("ana")
    media_events.connected(house.talk, "gone", "host", house.now)
    media_events.gone(house.talk, "gone", "flood", house.now)
    media_events.arriving(house.talk, "gone", True)
    media_events.slots_changed(house.talk, "gone", [])
    media_events.speakers_changed(house.talk, "gone", [])
    media_events.flooding(house.talk, "gone")
    assert ana.frames == []
