import pytest

from signaling.errors import ClientMistake
from signaling.storage.message_record import Message, check_message
from tests.signaling.storage.samples import at


def said(**more):
    return Message(
        **{"id": "m", "room_id": "lobby", "sender": "ana", "topic": "chat", "body": "hi", "sent_at": at(0)} | more
    )


@pytest.mark.parametrize("more", [{}, {"body": {"deep": [1, None]}}, {"topic": "x" * 64}, {"body": "é" * 8000}])
def test_what_can_be_kept(more):
    message = said(**more)
    assert check_message(message) is message


@pytest.mark.parametrize(
    "more",
    [{"topic": ""}, {"topic": "x" * 65}, {"topic": "\0"}, {"body": "\0"}, {"body": "\ud800"}, {"body": "é" * 9000}],
)
def test_what_neither_database_takes_is_refused(more):
    with pytest.raises(ClientMistake) as refused:
        check_message(said(**more))
    assert refused.value.code == "bad_message"
