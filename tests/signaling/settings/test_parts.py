from signaling.settings.parts import call_settings
from tests.signaling.serving import settings_for


def test_limits_and_times_of_calls_come_from_the_settings(tmp_path):
    settings = call_settings(settings_for(tmp_path, stun_servers=["stun.example.org"], slots=5))
    assert settings.slots == 5
    assert settings.ice_servers == ({"urls": ["stun:stun.example.org:3478"]},)
