"""Who may do what to a room that is kept: by the role in their token, or because the room is theirs. Pure.

`permissions` has the table of roles and actions; here stands what follows from owning a room, which no token says.
"""

from dataclasses import replace

from signaling.identity.asker import Asker, Holder
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, Role
from signaling.identity.permissions import Service, may


def with_room_role(holder: Holder, room_id: str, role: Role) -> Holder:
    """The holder as one who has `role` in the room at least; only where the token names no other room."""
    if not isinstance(holder, Claims) or holder.grants.room not in (None, room_id) or RANK[holder.role] >= RANK[role]:
        return holder
    return replace(holder, role=role, grants=holder.grants.model_copy(update={"room": room_id}))


def in_room(asker: Asker, room_id: str, owner: str | None) -> Asker:
    """The asker as it stands in a room, whose `owner` is None where nobody owns it.

    A token that names a room opens no other one, also where its bearer owns that too. An owner is one by identity, and
    needs no role in the token.
    """
    if owner is None or not isinstance(asker.holder, Claims) or asker.holder.identity != owner:
        return asker
    return replace(asker, holder=with_room_role(asker.holder, room_id, "owner"))


def may_to_room(asker: Asker, action: str, room_id: str, owner: str | None) -> bool:
    """Whether the asker may do `action` to the room, by role, by scope, or as its owner."""
    return may(in_room(asker, room_id, owner).holder, action, room=room_id)


def may_name_owner(asker: Asker, owner: str | None) -> bool:
    """Whether the asker may make `owner` the owner of a room: themselves; operators and services anybody."""
    if isinstance(asker.holder, Service) or asker.role == "operator":
        return True
    return owner == asker.identity


def owner_of_new(asker: Asker) -> str | None:
    """Who owns a room that the asker makes and names no owner of: a person their own, nobody that of a service."""
    return asker.identity if isinstance(asker.holder, Claims) else None
