"""The deny list: revoked tokens and bans. Pure and in memory; the time is an argument.

Both expire: a revoked token with the token itself, a ban at its own time. Times are aware UTC, as they are compared
with those of tokens and survive a restart in storage.
"""

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from signaling.identity.bearer_secrets import hash_of
from signaling.identity.claims import LIFETIME, MOST_LEEWAY, Claims
from signaling.identity.grants import Standing

MOST_ENTRIES = 100_000
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban of an identity from a room, or from the server for `room` None. `until` None is a permanent ban.

    `by_role` is the role that imposed it. A lower role may not lift it. `by` is the identity of the actor, and
    `id` is the id in storage.
    """

    identity: str
    room: str | None
    since: datetime
    by_role: Standing
    until: datetime | None = None
    reason: str | None = None
    by: str = ""
    id: str = ""


class Denial(NamedTuple):
    """Why a join is denied: the ban, or None for a revoked token."""

    ban: Ban | None


class DenyList(Protocol):
    """The port that admission asks. No method waits: a stored list has a copy in memory."""

    def withdraw(self, claims: Claims, utc: datetime) -> None:
        """Revoke this token, the first token of its chain, and all tokens refreshed from it."""

    def ban(self, ban: Ban) -> None:
        """Ban an identity. Replaces an earlier ban of the same identity and room."""

    def unban(self, identity: str, room: str | None, by: str = "") -> bool:
        """Lift a ban and return whether there was one. `by` is the identity of the actor."""

    def find_ban(self, identity: str, room: str | None, utc: datetime) -> Ban | None:
        """Return the ban of exactly this room (None: the whole server) in force at `utc`."""

    def denial(self, claims: Claims, utc: datetime) -> Denial | None:
        """Return why these claims are denied at `utc`, or None if they are not."""

    def forget_room(self, room: str) -> None:
        """Drop the bans of a deleted room."""

    def forget_expired(self, utc: datetime) -> None:
        """Drop expired entries."""

    def take_news(self) -> bool:
        """Whether another node has added an entry since the last call, so that participants must be checked again."""


def token_hashes(claims: Claims) -> set[str]:
    """Return the hashes of the ids of a token and of the first token of its chain, as an id may be any text."""
    return {hash_of(token_id) for token_id in (claims.token_id, claims.first.token_id)}


def withdrawn_until(claims: Claims, utc: datetime) -> datetime:
    """Return how long a token revoked at `utc` must be remembered."""
    ends = max(claims.expires_at, claims.first.expires_at, utc + LIFETIME)
    return min(ends, FOREVER - timedelta(days=1)) + timedelta(seconds=MOST_LEEWAY)


_Key = tuple[str, str, str]


class MemoryDenyList:
    """A deny list in memory with at most `most_entries`. Beyond that, the entry that ends first is dropped early.

    `forced_out` counts dropped entries, as each one may let a denied identity return.
    """

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._most_entries = most_entries
        self._ends: dict[_Key, datetime] = {}
        self._bans: dict[_Key, Ban] = {}
        self._order: list[tuple[datetime, _Key]] = []
        self.forced_out = 0

    def __len__(self) -> int:
        return len(self._ends)

    def withdraw(self, claims: Claims, utc: datetime) -> None:
        """See `DenyList`. The entry lasts until the last token of the chain has expired, plus the clock leeway."""
        until = withdrawn_until(claims, utc)
        for token_hash in token_hashes(claims):
            self.withdraw_hash(token_hash, until)

    def withdraw_hash(self, token_hash: str, until: datetime) -> None:
        """Revoke one token by the hash of its id."""
        self._put(("token", token_hash, ""), until)

    def ban(self, ban: Ban) -> None:
        """See `DenyList`."""
        key = _ban_key(ban.identity, ban.room)
        self._bans[key] = ban
        self._put(key, ban.until or FOREVER)

    def unban(self, identity: str, room: str | None, by: str = "") -> bool:
        """See `DenyList`."""
        del by
        key = _ban_key(identity, room)
        return self._ends.pop(key, None) is not None and self._bans.pop(key, None) is not None

    def find_ban(self, identity: str, room: str | None, utc: datetime) -> Ban | None:
        """See `DenyList`."""
        key = _ban_key(identity, room)
        return self._bans.get(key) if self._holds(key, utc) else None

    def denial(self, claims: Claims, utc: datetime) -> Denial | None:
        """See `DenyList`. The room is the one that the token names."""
        room = claims.grants.room
        ban = self.find_ban(claims.identity, None, utc) or (room and self.find_ban(claims.identity, room, utc))
        if ban:
            return Denial(ban)
        withdrawn = any(self._holds(("token", token_hash, ""), utc) for token_hash in token_hashes(claims))
        return Denial(None) if withdrawn else None

    def forget_room(self, room: str) -> None:
        """See `DenyList`."""
        for key in [key for key in self._bans if key == _ban_key(key[1], room)]:
            del self._bans[key]
            self._ends.pop(key, None)

    def forget_expired(self, utc: datetime) -> None:
        """See `DenyList`."""
        while self._order and self._order[0][0] <= utc:
            self._drop_first()

    def take_news(self) -> bool:
        """See `DenyList`. There is no other node."""
        return False

    def _holds(self, key: _Key, utc: datetime) -> bool:
        ends = self._ends.get(key)
        return ends is not None and ends > utc

    def _put(self, key: _Key, ends: datetime) -> None:
        self._ends[key] = ends
        heapq.heappush(self._order, (ends, key))
        while len(self._ends) > self._most_entries:
            self.forced_out += self._drop_first()
        if len(self._order) > 2 * self._most_entries:
            self._order = sorted((ends, key) for key, ends in self._ends.items())

    def _drop_first(self) -> bool:
        """Drop the entry that ends first. Return False for a stale record of one that was lifted or changed."""
        ends, key = heapq.heappop(self._order)
        if self._ends.get(key) != ends:
            return False
        del self._ends[key]
        self._bans.pop(key, None)
        return True


def _ban_key(identity: str, room: str | None) -> _Key:
    return ("server", identity, "") if room is None else ("room", identity, room)
