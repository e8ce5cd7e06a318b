import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from signaling.protocol.server_messages import OK, SERVER_MESSAGES, VOLATILE, Outgoing, frame


def test_a_frame_is_the_envelope_with_the_number_of_the_session() -> None:
    message = Outgoing("media", {"arriving": True})
    assert orjson.loads(frame(message, 4, None)) == {"type": "media", "seq": 4, "payload": {"arriving": True}}


@pytest.mark.parametrize("request_id", ["x", 'with "quotes" and é', 0, 2**53])
def test_an_answer_repeats_the_id_as_it_was(request_id: str | int) -> None:
    assert orjson.loads(frame(OK, 1, request_id)) == {"type": "ok", "id": request_id, "seq": 1, "payload": {}}


def test_volatile_types_are_types() -> None:
    assert SERVER_MESSAGES.keys() >= VOLATILE
    assert Outgoing("pong", {}).volatile
    assert not OK.volatile


@pytest.mark.parametrize("kind", sorted(SERVER_MESSAGES.keys() - {"signal"}))
def test_shapes_are_closed(kind: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SERVER_MESSAGES[kind]).validate_python({"surprise": 1})
