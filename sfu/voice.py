"""Voice activity and loudness, from the level that each packet states (RFC 6464).

libwebrtc sets the V bit on every frame that is not DTX, so it says nothing. Voiced means: louder than that talker's own
noise floor, which falls to the quietest packets at once and rises slowly, so that a fan or a keyboard becomes floor
within seconds while a voice, which pauses, does not. Clients without the extension get an estimate from the size of
their packets: Opus spends more octets on a voice than on a room. Levels here are loudness: 0 is silence, 127 the
loudest, that is 127 minus the -dBov of the wire.
"""

import math

SILENCE = 127
"""The wire's level octet for digital silence: -127 dBov."""

MARGIN_DB = 9.0
"""How far above the floor a voice is."""

FLOOR_MAX = 77.0
"""The floor never rises over -50 dBov: what is louder than -41 dBov is heard, however long it lasts."""

QUIETEST_VOICE = 57.0
"""Nothing below -70 dBov is a voice."""

FLOOR_RISE = 0.03
"""dB a packet: 1.5 dB a second at 50 packets a second."""

HANGOVER = 0.4
"""Seconds without a voiced packet until the speaker counts as silent: longer than the gaps between words."""

_ATTACK, _RELEASE = 0.5, 0.08


class VoiceActivity:
    """The voice detector of one inbound stream. Pure; `now` is in monotonic seconds."""

    __slots__ = ("_floor", "last_voiced", "loudness", "voiced")

    def __init__(self) -> None:
        """Begin silent, with a floor that the first packets set."""
        self._floor = FLOOR_MAX
        self.voiced = False
        self.last_voiced = -math.inf
        self.loudness = 0.0

    def add(self, level: int, now: float) -> bool:
        """Take one packet's level (0..127, -dBov). True when the speaker has begun or ended to speak."""
        loud = 127.0 - level
        floor = self._floor
        if loud < floor:
            self._floor = floor = floor + (loud - floor) * 0.3
        elif floor < FLOOR_MAX:
            self._floor = floor + FLOOR_RISE
        smoothed = self.loudness
        self.loudness = smoothed + (loud - smoothed) * (_ATTACK if loud > smoothed else _RELEASE)
        if loud > floor + MARGIN_DB and loud > QUIETEST_VOICE:
            self.last_voiced = now
            if not self.voiced:
                self.voiced = True
                return True
            return False
        return self.expire(now)

    def expire(self, now: float) -> bool:
        """Fall silent when the hangover is over. True when that changed something."""
        if self.voiced and now >= self.last_voiced + HANGOVER:
            self.voiced = False
            return True
        return False

    def deadline(self) -> float:
        """When the hangover is over if no voiced packet comes; infinity while silent."""
        return self.last_voiced + HANGOVER if self.voiced else math.inf

    def silence(self) -> bool:
        """Fall silent at once: muted, or gone. True when that changed something."""
        changed, self.voiced, self.loudness = self.voiced, False, 0.0
        return changed

    @property
    def audio_level(self) -> float:
        """The smoothed level as the W3C's audioLevel: linear, 0..1 (webrtc-stats, RFC 6464 section 3)."""
        return 0.0 if self.loudness <= 0 else min(1.0, 10 ** ((self.loudness - 127.0) / 20))


def estimate_level(payload_size: int) -> int:
    """A level octet from the octets of one Opus packet, where the client states none.

    A DTX or comfort-noise packet has a few octets, a quiet room 20 to 40, speech at 32 kb/s about 80. A constant bit
    rate says nothing, so that its talker counts as speaking (over the cap of the floor) rather than never being heard.
    """
    if payload_size <= 8:
        return SILENCE
    return max(20, min(SILENCE, round(51 - 7 * math.log2(payload_size / 20))))
