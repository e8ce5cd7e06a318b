from signaling.client_messages import CLIENT_MESSAGES
from signaling.handlers import HANDLERS


def test_every_message_has_a_handler() -> None:
    assert HANDLERS.keys() == CLIENT_MESSAGES.keys()
