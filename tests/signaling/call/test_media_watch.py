from structlog.testing import capture_logs

from sfu.observer import SlotAssignment, Speaker
from signaling.call.media_watch import MediaWatch
from tests.signaling.fakes import House, pid


def test_each_event_reaches_those_concerned() -> None:
    house = House()
    (ana,) = house.people("ana")
    watch = MediaWatch(lambda: house.talk, lambda: house.now)
    watch.connection_began(pid(ana))
    watch.media_connected(pid(ana), None)
    watch.media_arriving(pid(ana), True)
    watch.slots_changed(pid(ana), [SlotAssignment("1", None)])
    watch.speakers_changed("lobby", [Speaker(pid(ana), 1.0)])
    watch.flooding(pid(ana))
    watch.connection_ended(pid(ana), "flood", (1, 2))
    watch.media_gone(pid(ana), "flood")
    assert ana.types == [
        "participant-updated",
        "media",
        "slots",
        "speakers",
        "error",
        "endpoint-gone",
        "participant-updated",
    ]


def test_an_observer_never_raises_and_says_what_went_wrong() -> None:
    def nothing() -> object:
        raise RuntimeError("not yet")

    with capture_logs() as lines:
        MediaWatch(nothing, lambda: 0.0).media_connected("somebody", None)  # type: ignore[arg-type]
    assert [(line["event"], line["media_event"]) for line in lines] == [("media_event_failed", "connected")]
