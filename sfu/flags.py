"""The five mute flags of a participant, kept apart as in Mumble, and whether it is on hold.

`self_mute` and `self_deaf` are the person's own; `mute` and `deaf` a moderator's; `suppressed` comes from a rule
(not on stage, out of range). A person's own unmute never lifts a moderator's mute. `held` is the person's own, too:
nothing goes to or from somebody on hold, and the five stay as they are meanwhile.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MuteFlags:
    """What silences one participant; all of it is enforced in the media path."""

    self_mute: bool = False
    self_deaf: bool = False
    mute: bool = False
    deaf: bool = False
    suppressed: bool = False
    held: bool = False

    @property
    def may_speak(self) -> bool:
        """Whether anybody may receive this participant's audio."""
        return not (self.self_mute or self.mute or self.suppressed or self.held)

    @property
    def may_hear(self) -> bool:
        """Whether this participant may receive anybody's audio."""
        return not (self.self_deaf or self.deaf or self.held)
