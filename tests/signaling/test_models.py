"""Models that are built when they are used."""

import pytest
from pydantic import ValidationError

from signaling.models import Model, unbuilt


def test_a_model_is_built_at_its_first_use_and_refuses_unknown_fields():
    class Shape(Model):  # made here: a server of another test builds whatever is there when it starts
        sides: int

    assert Shape in set(unbuilt())
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Shape.model_validate({"sides": 3, "colour": "red"})
    assert Shape(sides=3).model_dump() == {"sides": 3}
    assert Shape not in set(unbuilt())


def test_unbuilt_models_are_found_below_their_base():
    class Shape(Model):
        sides: int

    Shape.model_rebuild()

    class Square(Shape):
        sides: int = 4

    assert set(unbuilt(Shape)) == {Square}
    Square.model_rebuild()
    assert not set(unbuilt(Shape))
