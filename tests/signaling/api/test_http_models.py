from pydantic import TypeAdapter

from signaling.api.http_models import JoinAnswer, JoinBody, MessageAnswer, MessageBody
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.server_messages import SERVER_MESSAGES


def test_the_document_names_every_message() -> None:
    assert MessageBody.model_json_schema()["properties"]["type"]["enum"] == list(CLIENT_MESSAGES)
    assert MessageAnswer.model_json_schema()["properties"]["type"]["enum"] == list(SERVER_MESSAGES)


def test_the_answer_to_a_join_has_the_shapes_of_the_protocol() -> None:
    schema = JoinAnswer.model_json_schema()
    for name in ("welcome", "joined"):
        shape = TypeAdapter(SERVER_MESSAGES[name]).json_schema()
        assert schema["$defs"][name.capitalize()]["properties"] == shape["properties"]


def test_all_fields_of_a_join_may_be_left_out() -> None:
    assert JoinBody().model_dump(exclude_none=True) == {"display_name": "", "capabilities": {}}
