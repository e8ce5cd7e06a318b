import pytest

from signaling.call.lines import hold_line, release_line
from signaling.errors import ClosingMistake
from tests.signaling.fakes import House


def test_an_identity_holds_so_many_lines_and_one_released_is_free_again() -> None:
    house = House()
    (ana,) = house.people("ana")
    session = ana.session
    assert session is not None
    for _ in range(house.talk.settings.sockets_per_identity - 1):
        hold_line(house.talk, "ana")
    with pytest.raises(ClosingMistake) as caught:
        hold_line(house.talk, "ana")
    assert caught.value.code == "rate_limited"
    release_line(house.talk, session)
    hold_line(house.talk, "ana")


def test_a_line_that_nobody_has_authenticated_on_holds_nothing() -> None:
    house = House()
    line = house.line()
    assert line.session is not None
    release_line(house.talk, line.session)
