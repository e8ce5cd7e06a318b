"""The quality presets of rooms: what each asks of the encoders of those who talk. Pure."""

from collections.abc import Mapping

from sfu.opus import OpusWishes

PRESETS: Mapping[str, OpusWishes] = {
    "low": OpusWishes(bitrate=16_000, ptime=40, dtx=True),
    "standard": OpusWishes(bitrate=32_000),
    "high": OpusWishes(bitrate=64_000),
    "music": OpusWishes(bitrate=128_000, fec=False, stereo=True),
}
"""By the names that rooms have. `low` spares headers too: half as many packets. In-band FEC is of speech only."""


def audio_view(preset: str) -> dict[str, object]:
    """What a client is told of it: bits a second, milliseconds of a packet, and what to switch on."""
    wishes = PRESETS[preset]
    return {
        "preset": preset,
        "bitrate": wishes.bitrate,
        "ptime": wishes.ptime,
        "dtx": wishes.dtx,
        "fec": wishes.fec,
        "stereo": wishes.stereo,
    }
