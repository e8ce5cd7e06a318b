"""Who may do what to a room that is kept: by the role in their token, or because the room is theirs. Pure.

`permissions` has the table of roles and actions; here stands what follows from owning a room, which no token says.
"""

from signaling.identity.claims import Claims
from signaling.identity.permissions import may


def may_to_room(claims: Claims, action: str, room_id: str, owner: str | None) -> bool:
    """Whether the bearer of a token may do `action` to the room, whose `owner` is None where nobody owns it.

    A token that names a room opens no other one, also where its bearer owns that too. An owner is one by identity, and
    needs no role in the token.
    """
    if may(claims, action, room=room_id):
        return True
    theirs = owner is not None and owner == claims.identity
    return theirs and claims.grants.room in (None, room_id) and may("owner", action)


def may_name_owner(claims: Claims, owner: str | None) -> bool:
    """Whether the bearer of a token may make `owner` the owner of a room: themselves, or as an operator anybody."""
    return owner == claims.identity or claims.role == "operator"
