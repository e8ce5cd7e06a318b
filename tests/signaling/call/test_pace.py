from signaling.call.pace import keeps_pace
from tests.signaling.fakes import House


def test_a_frame_counts_as_a_message_does_and_a_flood_is_told_once_and_ends_the_line() -> None:
    house = House(messages_per_second=1.0, message_burst=4)
    (ana,) = house.people("ana")
    house.now += 60
    ana.take()
    assert [keeps_pace(house.talk, ana, house.now) for _ in range(4)] == [True] * 4
    assert not keeps_pace(house.talk, ana, house.now)
    assert ana.take("error") == {
        "code": "rate_limited",
        "message": "Too many requests. Slow down.",
        "details": {"messages_per_second": 1.0, "burst": 4},
    }
    house.say(ana, "ping")
    assert ana.closed is None
    assert not keeps_pace(house.talk, ana, house.now)
    assert ana.closed == "rate_limited"


def test_a_line_that_speaks_for_nobody_has_no_pace_to_keep() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.talk.lost(ana, house.now)
    assert not keeps_pace(house.talk, ana, house.now)
