from signaling.call.handlers import HANDLERS
from signaling.protocol.client_messages import CLIENT_MESSAGES


def test_every_message_has_a_handler() -> None:
    assert HANDLERS.keys() == CLIENT_MESSAGES.keys()
