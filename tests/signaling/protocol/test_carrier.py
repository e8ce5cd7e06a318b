from signaling.protocol.carrier import Carrier
from tests.signaling.fakes import FakeLine


def test_the_stand_in_of_the_tests_is_a_carrier() -> None:
    line: Carrier = FakeLine()
    line.close("internal")
    assert line.session is None
