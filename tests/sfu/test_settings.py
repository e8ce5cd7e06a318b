from dataclasses import FrozenInstanceError

import pytest

from sfu.settings import MediaSettings


def test_settings_are_frozen_and_their_defaults_stay_off_loopback():
    settings = MediaSettings()
    assert (settings.port, settings.bind, settings.advertise, settings.loopback) == (7882, (), (), False)
    with pytest.raises(FrozenInstanceError):
        settings.port = 1
