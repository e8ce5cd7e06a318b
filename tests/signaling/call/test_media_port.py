from inspect import signature

import pytest

from sfu.server import MediaServer
from signaling.call.media_port import MediaPort
from tests.signaling.fakes import FakeMedia

ASKED = [name for name in vars(MediaPort) if not name.startswith("_")]


@pytest.mark.parametrize("name", ASKED)
def test_the_media_server_and_its_stand_in_have_what_is_asked_of_them(name: str) -> None:
    asked = list(signature(getattr(MediaPort, name)).parameters)
    for media in (MediaServer, FakeMedia):
        assert list(signature(getattr(media, name)).parameters) == asked
