import base64
import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.webhooks.signing import (
    LONGEST,
    SHORTEST,
    chosen_secret,
    new_secret,
    parse_secret,
    signature,
    signed_headers,
)
from tests.signaling.storage.samples import seeded

MANUAL = Path(__file__).parents[3] / "docs" / "webhooks.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_example():
    body = b'{"test": 2432232314}'
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(
    st.binary(min_size=SHORTEST, max_size=LONGEST),
    st.uuids(),
    st.integers(0, 2**32),
    st.text(st.characters(codec="utf-8")),
)
def test_another_implementation_signs_the_same(secret, message_id, timestamp, body):
    text = "whsec_" + base64.b64encode(secret).decode()
    theirs = standardwebhooks.Webhook(text).sign(str(message_id), datetime.fromtimestamp(timestamp, UTC), body)
    assert signature(text, str(message_id), timestamp, body.encode()) == theirs


def test_another_implementation_verifies_with_either_secret():
    random, body, utc = seeded(), b'{"type": "room.created"}', datetime.now(UTC)
    old, new, foreign = new_secret(random), new_secret(random), new_secret(random)
    headers = dict(signed_headers((new, old), "one", int(utc.timestamp()), body))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(body, headers) == {"type": "room.created"}
    for secret, told, changed in ((foreign, body, {}), (new, body + b" ", {}), (new, body, {"webhook-id": "two"})):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(told, headers | changed)


def test_a_new_secret_has_256_bits():
    assert len(parse_secret(new_secret(seeded()))) == 32


@pytest.mark.parametrize(
    "wrong", ["", "hunter2", "whsec_", "whsec_" + "A" * 28, "whsec_" + "A" * 88, SECRET[6:], SECRET + "!"]
)
def test_what_is_no_secret_is_refused_and_not_repeated(wrong):
    with pytest.raises(ClientMistake, match="secret: ") as caught:
        parse_secret(wrong)
    assert "hunter2" not in caught.value.message


@given(st.text() | st.text().map("whsec_{}".format))
def test_any_text_is_a_secret_or_a_mistake(text):
    with contextlib.suppress(ClientMistake):
        assert SHORTEST <= len(parse_secret(text)) <= LONGEST


def test_the_receiver_of_the_manual_verifies():
    (example,) = re.findall(r"^```python\n(.*?)^```", MANUAL.read_text(), re.DOTALL | re.MULTILINE)
    space: dict[str, Any] = {}
    exec(example, space)
    now, body = int(datetime.now(UTC).timestamp()), b"{}"
    verify = space["verify"]
    other = new_secret(seeded(1))
    headers = dict(signed_headers((other, SECRET), "one", now, body))
    verify(SECRET, headers, body)
    for secret, told, when in ((new_secret(seeded(2)), body, now), (SECRET, b"{ }", now), (SECRET, body, now - 400)):
        with pytest.raises(ValueError, match=r"signed|old"):
            verify(secret, dict(signed_headers((other, SECRET), "one", when, body)), told)


def test_a_chosen_secret_must_be_able_to_sign_and_one_is_made_where_none_is_named():
    made = chosen_secret(None, seeded())
    assert chosen_secret(made, seeded()) == made
    with pytest.raises(ClientMistake):
        chosen_secret("hunter2", seeded())
