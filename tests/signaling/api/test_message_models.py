from dataclasses import fields

import pytest
from pydantic import ValidationError

from signaling.api.message_models import MessageQuery, MessagesPage, MessageView
from signaling.storage.message_record import Message
from tests.signaling.storage.samples import at


def test_a_message_is_told_with_all_but_its_room():
    kept = Message(id="m", room_id="den", sender="ana", topic="chat", body={"a": [1]}, sent_at=at(0), recipient="ben")
    view = MessageView.of(kept)
    assert set(MessageView.model_fields) == {one.name for one in fields(Message)} - {"room_id"}
    assert (view.sender, view.recipient, view.body) == ("ana", "ben", {"a": [1]})
    assert MessagesPage(items=[view], next_cursor=None).items == [view]


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 201}, {"topic": ""}, {"topic": "x" * 65}, {"reader": "ben"}])
def test_what_is_no_query(wrong):
    with pytest.raises(ValidationError):
        MessageQuery(**wrong)
