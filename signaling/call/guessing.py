"""Secrets that somebody tries: passwords, invites. Wrong ones count with failed authentications, by address. Pure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from signaling.errors import ClientMistake
from signaling.limits import address_key

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


@contextmanager
def guessing(house: "Conversation", address: str, now: Callable[[], float], wrong: str) -> Iterator[None]:
    """Somebody at this address shows a secret; the block raises ClientMistake with the code `wrong` if it is none.

    Raises ClientMistake (`rate_limited`) instead of looking, once too many from there were wrong.
    """
    key = address_key(address)
    if house.failed_auths.exhausted(key, now()):
        raise ClientMistake("rate_limited", "too many wrong secrets from this address", {"retry_after": 60})
    try:
        yield
    except ClientMistake as mistake:
        if mistake.code == wrong:
            house.failed_auths.take(key, now())
        raise
