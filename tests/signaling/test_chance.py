from signaling.chance import SYSTEM_CHANCE


def test_chance_gives_as_many_bytes_as_are_asked_for_and_never_the_same():
    assert len(SYSTEM_CHANCE(16)) == 16
    assert SYSTEM_CHANCE(16) != SYSTEM_CHANCE(16)
