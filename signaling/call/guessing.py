"""Secrets that somebody tries: tokens, API keys, passwords, invites. Wrong ones are counted by address. Pure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from signaling.errors import ClientMistake
from signaling.limits import address_key

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def check_patience(house: "Conversation", address: str, now: float) -> None:
    """Whether this address may still guess. Raises ClientMistake (`rate_limited`)."""
    if house.failed_auths.exhausted(address_key(address), now):
        raise ClientMistake("rate_limited", "too many failed authentications from this address", {"retry_after": 60})


@contextmanager
def guessing(house: "Conversation", address: str, now: Callable[[], float], wrong: str) -> Iterator[None]:
    """Somebody at this address shows a secret; the block raises ClientMistake with the code `wrong` if it is none.

    Raises ClientMistake (`rate_limited`) instead of looking, once too many from there were wrong.
    """
    check_patience(house, address, now())
    try:
        yield
    except ClientMistake as mistake:
        if mistake.code == wrong:
            house.failed_auths.take(address_key(address), now())
        raise
