"""The persistent deny list: in memory for readers, written through the spool. Pure."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from signaling.identity.claims import Claims
from signaling.identity.deny_list import Ban, MemoryDenyList, token_hashes, withdrawn_until
from signaling.ids import RandomBytes, uuid7
from signaling.storage.spool import Change

Put = Callable[[Sequence[Change]], None]

ENDED_KEPT = 1000
"""Bans ended here that are remembered, so that `catch_up` does not restore one whose end is not yet written."""


class KeptDenyList(MemoryDenyList):
    """A `MemoryDenyList` that also passes each change to `put`, which never waits.

    `catch_up` merges what other nodes have written.
    """

    def __init__(
        self, put: Callable[[Sequence[Change]], None], utc: Callable[[], datetime], random: RandomBytes
    ) -> None:
        super().__init__()
        self._changed = put
        self._utc = utc
        self._random = random
        self._unread: dict[str, Ban] = {}
        self._ended: deque[str] = deque(maxlen=ENDED_KEPT)
        self._news = False

    def catch_up(self, bans: Iterable[Ban], tokens: Mapping[str, datetime]) -> None:
        """Merge the stored list: all bans in force, and each revoked token with its expiry.

        Changes made here take precedence, whether they are written yet or not. Of two bans of the same identity and
        room, the later one applies.
        """
        written, ended, utc = {ban.id: ban for ban in bans}, set(self._ended), self._utc()
        self._unread = {
            one.id: one
            for one in self._unread.values()
            if one.id not in written and one.id not in ended and (one.until is None or one.until > utc)
        }
        held = [*(ban for ban in written.values() if ban.id not in ended), *self._unread.values()]
        wanted = {(ban.identity, ban.room): ban for ban in sorted(held, key=lambda ban: ban.since)}
        for ban in list(self._bans.values()):
            if (ban.identity, ban.room) not in wanted:
                super().unban(ban.identity, ban.room)
        for place, ban in wanted.items():
            found = self.find_ban(*place, utc)
            if found is None or found.id != ban.id:
                super().ban(ban)
                self._news = True
        for token_hash, until in tokens.items():
            if ("token", token_hash, "") not in self._ends:
                self.withdraw_hash(token_hash, until)
                self._news = True

    def take_news(self) -> bool:
        """See `DenyList`."""
        news, self._news = self._news, False
        return news

    def withdraw(self, claims: Claims, utc: datetime) -> None:
        """See `DenyList`."""
        super().withdraw(claims, utc)
        until = withdrawn_until(claims, utc)
        hashes = sorted(token_hashes(claims))
        self._changed([Change("token.withdraw", {"token_hash": one, "until": until}) for one in hashes])

    def ban(self, ban: Ban) -> None:
        """See `DenyList`."""
        before = self.find_ban(ban.identity, ban.room, ban.since)
        kept = replace(ban, id=ban.id or uuid7(ban.since, self._random))
        self._unread[kept.id] = kept
        super().ban(kept)
        values = {
            "id": kept.id,
            "created_by": kept.by,
            "created_at": kept.since,
            "by_role": kept.by_role,
            "room_id": kept.room,
            "identity": kept.identity,
            "reason": kept.reason or "",
            "expires_at": kept.until,
        }
        ended = [] if before is None else [self._end(before, kept.by, kept.since)]
        self._changed([*ended, Change("ban.add", values)])

    def unban(self, identity: str, room: str | None, by: str = "") -> bool:
        """See `DenyList`."""
        utc = self._utc()
        ban = self.find_ban(identity, room, utc)
        if ban is not None:
            self._changed([self._end(ban, by, utc)])
        return super().unban(identity, room, by)

    def forget_room(self, room: str) -> None:
        """See `DenyList`."""
        super().forget_room(room)
        self._unread = {one.id: one for one in self._unread.values() if one.room != room}

    def _end(self, ban: Ban, by: str, utc: datetime) -> Change:
        self._ended.append(ban.id)
        return Change("ban.end", {"ban_id": ban.id, "by": by, "utc": utc})
