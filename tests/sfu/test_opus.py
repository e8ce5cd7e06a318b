from sfu.opus import USUAL, OpusWishes


def test_what_is_not_asked_for_is_not_said() -> None:
    """RFC 7587 section 6.1 has the defaults."""
    assert USUAL.fmtp() == "minptime=10;useinbandfec=1"
    assert USUAL.ptime_lines() == []


def test_every_wish_has_its_parameter() -> None:
    """RFC 7587 section 6.1 and RFC 8866 section 6.4."""
    wishes = OpusWishes(bitrate=128_000, ptime=40, dtx=True, fec=False, stereo=True)
    assert wishes.fmtp() == "minptime=10;useinbandfec=0;maxaveragebitrate=128000;usedtx=1;stereo=1"
    assert wishes.ptime_lines() == ["a=ptime:40"]
