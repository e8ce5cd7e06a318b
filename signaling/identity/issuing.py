"""Issuing of tokens and invites for others: an issuer can grant only what they have. Pure.

The issuer of a token needs every permission that its role has beyond a member, in the room of the token, and every
permission that its grants add. So a key with only the scope `token.issue` issues tokens for members, one with `*` also
for owners. Only operators issue tokens for operators.
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
"""Maximum lifetime of a token issued over HTTP. A session refreshes its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOrder:
    """A request for a token. `grants` hold the room, if any, and may raise `role`.

    An `invited` token opens a private room, as an invite does.
    """

    identity: str
    grants: Grants
    lifetime: timedelta
    name: str | None = None
    role: Role = "member"
    metadata: str | None = None
    invited: bool = False


def check_order(holder: Holder, order: TokenOrder) -> None:
    """Check that `holder` may issue this token. Raises ClientMistake (`forbidden`)."""
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
    """Whether `holder` may give `role` in the room, by a token or by an invite."""
    if role == "operator":
        return not isinstance(holder, Service) and holder.role == "operator"
    beyond = [name for name, row in ACTIONS.items() if 0 < RANK[row.least] <= RANK[role] and row.services]
    return all(may(holder, action, room=room) for action in beyond)


def _may_there(holder: Holder, action: str, room: str | None) -> bool:
    """Whether `holder` may do `action` in the room, or on the server for an action on all rooms."""
    return may(holder, action, room=room if ACTIONS[action].place == "room" else None)


GUEST = "guest-"
"""Identity prefix of a guest, who joins with only an invite."""
_GUEST_BYTES = 10


def check_role(holder: Holder, role: Role, room_id: str) -> None:
    """Check that `holder` may invite to `role`. Raises ClientMistake (`forbidden`)."""
    if not may_give(holder, role, room_id):
        raise ClientMistake("forbidden", f"to invite a {role} you need all permissions of a {role} in that room")


def new_guest(random: RandomBytes) -> str:
    """Return a new unique identity for a guest."""
    return GUEST + random(_GUEST_BYTES).hex()


def token_of(claims: Claims | None, identity: str, name: str, room_id: str, role: Role) -> TokenOrder:
    """Return the token order for an accepted invite: its room, its role, and the identity of the caller.

    `claims` are those of the caller's token, if any. Only the identity and the name are taken from them.
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
    """Return the link that opens the page and joins. Browsers do not send the fragment, which holds the token."""
    return f"{page.rstrip('/')}/#invite={token}"
