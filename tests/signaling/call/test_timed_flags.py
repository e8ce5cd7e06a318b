from signaling.call.timed_flags import TimedFlags


def test_each_flag_is_due_once_and_in_order() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 20.0)
    flags.set("ana", "deaf", 10.0)
    flags.set("ben", "mute", 30.0)
    assert list(flags.take_due(9.9)) == []
    assert list(flags.take_due(20.0)) == [("ana", "deaf"), ("ana", "mute")]
    assert list(flags.take_due(20.0)) == []
    assert len(flags) == 1


def test_when_a_flag_ends_can_be_asked() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 20.0)
    assert (flags.ends("ana", "mute"), flags.ends("ana", "deaf")) == (20.0, None)


def test_what_is_set_again_forgets_its_former_time() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 10.0)
    flags.set("ana", "mute", 20.0)
    assert list(flags.take_due(10.0)) == []
    assert list(flags.take_due(20.0)) == [("ana", "mute")]
    flags.set("ana", "mute", 30.0)
    flags.set("ana", "mute", None)
    flags.set("ben", "deaf", None)
    assert list(flags.take_due(40.0)) == []
    assert len(flags) == 0


def test_of_those_who_left_nothing_is_due_and_nothing_is_kept() -> None:
    flags = TimedFlags()
    for number in range(1000):
        flags.set(f"p{number}", "mute", 1000.0 + number)
        flags.set(f"p{number}", "deaf", 10.0)
        flags.forget(f"p{number}")
    assert len(flags) == 0
    assert len(flags._order) <= 70
    assert list(flags.take_due(5000.0)) == []
