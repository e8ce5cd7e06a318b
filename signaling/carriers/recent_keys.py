"""API keys that were looked up a moment ago, so that not each request costs a query. Pure; `now` is monotonic seconds.

A key that is withdrawn by another process opens doors for as long as it is remembered here; one that is withdrawn here
is forgotten at once.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING

from signaling.identity.bearer_secrets import hash_of

if TYPE_CHECKING:
    from signaling.storage.api_keys import ApiKey

REMEMBERED = 5.0
"""Seconds."""
NOTED_EVERY = 60.0
"""Seconds between two times that a use of one key is written."""
MOST = 10_000


class RecentKeys:
    """Keys by the hash of their text, and when a use of each was last written. Bounded: the oldest go first.

    `withdrawals` counts the keys that were forgotten because they are good for nothing any more.
    """

    def __init__(self) -> None:
        self.withdrawals = 0
        self._found: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()
        self._noted: OrderedDict[str, float] = OrderedDict()

    def find(self, text: str, now: float) -> "ApiKey | None":
        """The key of a text that was found good less than 5 s ago."""
        key, at = self._found.get(hash_of(text), (None, 0.0))
        return key if now - at < REMEMBERED else None

    def keep(self, text: str, key: "ApiKey", now: float) -> None:
        """Remember that this text opens what the key opens."""
        self._found[hash_of(text)] = (key, now)
        self._found.move_to_end(hash_of(text))
        if len(self._found) > MOST:
            self._found.popitem(last=False)

    def forget(self, key_id: str) -> None:
        """The key was withdrawn."""
        self.withdrawals += 1
        for text_hash in [text_hash for text_hash, (key, _) in self._found.items() if key.id == key_id]:
            del self._found[text_hash]

    def is_to_be_noted(self, key_id: str, now: float) -> bool:
        """Whether this use is to be written: the first one, and then one a minute."""
        noted = self._noted.get(key_id)
        if noted is not None and now - noted < NOTED_EVERY:
            return False
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > MOST:
            self._noted.popitem(last=False)
        return True
