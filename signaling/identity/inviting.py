"""Invites: who may give which role by one, and what whoever accepts it is given. Pure.

Nobody invites somebody into a higher role than their own: the rule is the one for tokens, `issuing.may_give`.
"""

from signaling.errors import ClientMistake
from signaling.identity.asker import Holder
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.issuing import TokenOrder, may_give
from signaling.identity.names import clean_name
from signaling.identity.tokens import LIFETIME
from signaling.ids import RandomBytes

GUEST = "guest-"
"""How the identity of somebody begins who came with an invite and nothing else."""
_GUEST_BYTES = 10


def check_role(holder: Holder, role: Role, room_id: str) -> None:
    """Whether `holder` may invite somebody as a `role`. Raises ClientMistake (`forbidden`)."""
    if not may_give(holder, role, room_id):
        raise ClientMistake("forbidden", f"who invites a {role} must be allowed all that a {role} may do there")


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
