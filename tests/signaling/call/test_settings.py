from dataclasses import FrozenInstanceError

import pytest

from signaling.call.settings import CallSettings
from signaling.protocol.session import AUTH_SECONDS, SEAT_SECONDS


def test_settings_do_not_change() -> None:
    settings = CallSettings()
    assert (settings.auth_seconds, settings.seat_seconds) == (AUTH_SECONDS, SEAT_SECONDS)
    with pytest.raises(FrozenInstanceError):
        settings.slots = 9  # type: ignore[misc]
