from datetime import UTC

from signaling.clock import SYSTEM_CHANCE, SYSTEM_CLOCK


def test_the_system_clock_is_monotonic_and_its_utc_is_aware() -> None:
    first = SYSTEM_CLOCK.now()
    assert SYSTEM_CLOCK.now() >= first
    assert SYSTEM_CLOCK.utc().tzinfo is UTC


def test_chance_gives_as_many_bytes_as_are_asked_for_and_never_the_same():
    assert len(SYSTEM_CHANCE(16)) == 16
    assert SYSTEM_CHANCE(16) != SYSTEM_CHANCE(16)
