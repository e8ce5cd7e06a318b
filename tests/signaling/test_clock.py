from datetime import UTC

from signaling.clock import SYSTEM_CLOCK


def test_the_system_clock_is_monotonic_and_its_utc_is_aware() -> None:
    first = SYSTEM_CLOCK.now()
    assert SYSTEM_CLOCK.now() >= first
    assert SYSTEM_CLOCK.utc().tzinfo is UTC
