"""Whether the settings name a webhook that can be worked with. Pure."""

from signaling.errors import ClientMistake
from signaling.refusals import BadSettings
from signaling.webhooks.signing import parse_secret
from signaling.webhooks.targets import check_url

SHORTEST_DAYS = 4
"""For which events are kept at least: longer than a delivery is tried."""


def check_static(url: str, secret: str, *, allow_private: bool) -> None:
    """Raises BadSettings, which does not repeat the secret."""
    if bool(url) != bool(secret):
        missing = "webhook_url" if secret else "webhook_secret"
        raise BadSettings(
            f"{missing} is missing", "a webhook needs a target, and a secret that signs", f"Set {missing} too."
        )
    if not url:
        return
    try:
        check_url(url, allow_private=allow_private)
    except ClientMistake as mistake:
        raise BadSettings(
            f"webhook_url = {url!r} is not possible", mistake.message.removeprefix("url: "), "Correct the value."
        ) from None
    try:
        parse_secret(secret)
    except ClientMistake as mistake:
        raise BadSettings(
            "webhook_secret = (a secret) is not possible",
            mistake.message.removeprefix("secret: "),
            'Make one with `echo "whsec_$(openssl rand -base64 32)"`.',
        ) from None
