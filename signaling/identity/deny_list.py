"""The deny list: revoked tokens and bans. Pure and in memory; the time is an argument.

Both end by themselves: a withdrawn token when it would have expired anyway, a ban at its own time. Times are aware UTC,
as they are compared with those of tokens and must outlive a restart where they are kept.
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
    """An identity that may not be in a room, or in none where `room` is None; `until` is None for one without end.

    `by_role` is the role of who imposed it: only somebody above that role may lift it. `by` is their identity, and `id`
    names the ban where it is kept.
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
    """Why somebody is kept out: the ban, or None where the token was withdrawn."""

    ban: Ban | None


class DenyList(Protocol):
    """What whoever admits people asks. None of it waits: a list that is kept elsewhere has a copy here."""

    def withdraw(self, claims: Claims, utc: datetime) -> None:
        """This token, the one that its chain began with, and all that were made of it are good for nothing now."""

    def ban(self, ban: Ban) -> None:
        """Keep an identity out; an earlier ban of the same identity and room is replaced."""

    def unban(self, identity: str, room: str | None, by: str = "") -> bool:
        """Lift a ban; whether there was one. `by` is the identity of who does it."""

    def find_ban(self, identity: str, room: str | None, utc: datetime) -> Ban | None:
        """The ban of exactly this room (None: of the whole server) that holds at `utc`."""

    def denial(self, claims: Claims, utc: datetime) -> Denial | None:
        """Why these claims admit nobody at `utc`, or None where they do."""

    def forget_room(self, room: str) -> None:
        """A room was deleted: its bans go with it."""

    def forget_expired(self, utc: datetime) -> None:
        """Let go of what has ended."""

    def take_news(self) -> bool:
        """Whether another server has put somebody on it since the last call: whoever is here is to be looked at."""


def token_hashes(claims: Claims) -> set[str]:
    """What is kept of the ids of a token and of the one that its chain began with: they may be any text."""
    return {hash_of(token_id) for token_id in (claims.token_id, claims.first.token_id)}


def withdrawn_until(claims: Claims, utc: datetime) -> datetime:
    """Until when a token that is withdrawn at `utc` has to be known."""
    ends = max(claims.expires_at, claims.first.expires_at, utc + LIFETIME)
    return min(ends, FOREVER - timedelta(days=1)) + timedelta(seconds=MOST_LEEWAY)


_Key = tuple[str, str, str]


class MemoryDenyList:
    """A deny list of this process. At most `most_entries`: past that, what would end first is let go early.

    `forced_out` counts those, as each is somebody who could come back.
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
        """See `DenyList`. Held until the last token of the chain has expired, with the leeway of its clocks."""
        until = withdrawn_until(claims, utc)
        for token_hash in token_hashes(claims):
            self.withdraw_hash(token_hash, until)

    def withdraw_hash(self, token_hash: str, until: datetime) -> None:
        """One token, by what is kept of its id."""
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
        """See `DenyList`. There is no other server."""
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
        """Drop what ends first; False for a leftover of an entry that was lifted or has got another end."""
        ends, key = heapq.heappop(self._order)
        if self._ends.get(key) != ends:
            return False
        del self._ends[key]
        self._bans.pop(key, None)
        return True


def _ban_key(identity: str, room: str | None) -> _Key:
    return ("server", identity, "") if room is None else ("room", identity, room)
