"""The deny list that outlasts the server: in memory for those who ask, and written by way of the spool. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from signaling.identity.claims import Claims
from signaling.identity.deny_list import Ban, MemoryDenyList, token_hashes, withdrawn_until
from signaling.ids import RandomBytes, uuid7
from signaling.storage.spool_format import Change

Put = Callable[[Sequence[Change]], None]


class KeptDenyList(MemoryDenyList):
    """As `MemoryDenyList`; what happens to it goes to `put` as well, and never waits. `load_*` are for the start."""

    def __init__(
        self, put: Callable[[Sequence[Change]], None], utc: Callable[[], datetime], random: RandomBytes
    ) -> None:
        super().__init__()
        self._changed = put
        self._utc = utc
        self._random = random

    def load_ban(self, ban: Ban) -> None:
        """A ban that is kept already. Of two of the same identity and room the one loaded last holds."""
        super().ban(ban)

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
        ended = [] if before is None else [_end(before, kept.by, kept.since)]
        self._changed([*ended, Change("ban.add", values)])

    def unban(self, identity: str, room: str | None, by: str = "") -> bool:
        """See `DenyList`."""
        utc = self._utc()
        ban = self.find_ban(identity, room, utc)
        if ban is not None:
            self._changed([_end(ban, by, utc)])
        return super().unban(identity, room, by)


def _end(ban: Ban, by: str, utc: datetime) -> Change:
    return Change("ban.end", {"ban_id": ban.id, "by": by, "utc": utc})
