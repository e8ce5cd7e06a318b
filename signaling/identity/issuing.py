"""Issuing of tokens and invites for others: an issuer can grant only what they have. Pure.

Nobody gives what they have not: whoever issues a token of a role must be allowed all that this role may do beyond a
member, in the room of the token; and for each grant that adds something, what it adds. So a key with the one scope
`token.issue` makes members only, one with `*` owners too, and operators are made by operators alone.
"""

from dataclasses import dataclass
from datetime import timedelta

from signaling.errors import ClientMistake
from signaling.identity.claims import LIFETIME, Claims
from signaling.identity.grants import RANK, Grants, Role, role_of
from signaling.identity.names import clean_name
from signaling.identity.permissions import ACTIONS, GIVEN, Holder, Service, may
from signaling.ids import RandomBytes

LONGEST = timedelta(days=1)
"""A token that is asked for over HTTP; a session refreshes its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOrder:
    """A token for somebody. `grants` hold the room, if it is for one; `role` may be raised by them.

    One that is `invited` opens a private room, as an invite does.
    """

    identity: str
    grants: Grants
    lifetime: timedelta
    name: str | None = None
    role: Role = "member"
    metadata: str | None = None
    invited: bool = False


def check_order(holder: Holder, order: TokenOrder) -> None:
    """Whether `holder` may issue this token. Raises ClientMistake (`forbidden`)."""
    room = order.grants.room
    if not may(holder, "token.issue", room=room):
        raise ClientMistake(
            "forbidden", "this needs an operator, or an API key with the scope token.issue for that room"
        )
    role = role_of(order.role, order.grants)
    if not may_give(holder, role, room):
        raise ClientMistake(
            "forbidden", f"to issue a token for a {role} you need all permissions of a {role} in that room"
        )
    if order.invited and not may(holder, "invite.create", room=room):
        raise ClientMistake("forbidden", "to issue an invited token you need permission to invite")
    for grant, actions in GIVEN.items():
        if getattr(order.grants, grant) and not all(_may_there(holder, action, room) for action in actions):
            raise ClientMistake("forbidden", f"to grant {grant} you need its permissions")


def may_give(holder: Holder, role: Role, room: str | None) -> bool:
    """Whether `holder` may make somebody a `role` there, by a token or by an invite."""
    if role == "operator":
        return not isinstance(holder, Service) and holder.role == "operator"
    beyond = [name for name, row in ACTIONS.items() if 0 < RANK[row.least] <= RANK[role] and row.services]
    return all(may(holder, action, room=room) for action in beyond)


def _may_there(holder: Holder, action: str, room: str | None) -> bool:
    """In that room, or on the whole server where the action concerns all rooms."""
    return may(holder, action, room=room if ACTIONS[action].place == "room" else None)


GUEST = "guest-"
"""How the identity of somebody begins who came with an invite and nothing else."""
_GUEST_BYTES = 10


def check_role(holder: Holder, role: Role, room_id: str) -> None:
    """Whether `holder` may invite somebody as a `role`. Raises ClientMistake (`forbidden`)."""
    if not may_give(holder, role, room_id):
        raise ClientMistake("forbidden", f"to invite a {role} you need all permissions of a {role} in that room")


def new_guest(random: RandomBytes) -> str:
    """An identity that nobody has had."""
    return GUEST + random(_GUEST_BYTES).hex()


def token_of(claims: Claims | None, identity: str, name: str, room_id: str, role: Role) -> TokenOrder:
    """The token of whoever has accepted an invite: for its room, in its role, and as the person that they are.

    `claims` are those of the token that was shown, if any: of them only the identity and the name are kept.
    """
    return TokenOrder(
        identity=identity,
        grants=Grants.for_room(room_id, admin=RANK[role] >= RANK["moderator"]),
        lifetime=LIFETIME,
        name=(claims and claims.name) or clean_name(name) or None,
        role=role,
        invited=True,
    )


def link_to(page: str, token: str) -> str:
    """The link that opens the page and joins. The token stands in the fragment, which browsers send to no server."""
    return f"{page.rstrip('/')}/#invite={token}"
