import pytest

from sfu.flags import MuteFlags


@pytest.mark.parametrize(
    ("flags", "may_speak", "may_hear"),
    [
        (MuteFlags(), True, True),
        (MuteFlags(self_mute=True), False, True),
        (MuteFlags(mute=True), False, True),
        (MuteFlags(suppressed=True), False, True),
        (MuteFlags(self_deaf=True), True, False),
        (MuteFlags(deaf=True), True, False),
        (MuteFlags(self_mute=True, mute=True, deaf=True), False, False),
        (MuteFlags(held=True), False, False),
        (MuteFlags(held=True, self_mute=True), False, False),
    ],
)
def test_what_each_flag_silences(flags, may_speak, may_hear):
    assert (flags.may_speak, flags.may_hear) == (may_speak, may_hear)
