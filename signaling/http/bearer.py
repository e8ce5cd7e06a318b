"""Who asks, by the bearer token of a request (RFC 6750 section 2.1): the same tokens as on the WebSocket."""

from aiohttp import web

from signaling.call.admission import check_admission
from signaling.errors import ClientMistake
from signaling.http.app_keys import CLOCK, GATEWAY, KEY_SET, TOKENS
from signaling.http.headers import client_address
from signaling.http.problems import refuse
from signaling.identity.claims import Claims
from signaling.limits import address_key

ERRORS = ("unauthenticated", "token_expired", "token_invalid", "forbidden", "banned", "rate_limited")
"""What a route that wants a token can answer for it."""


async def claims_of(request: web.Request) -> Claims:
    """What the token says.

    Raises ClientMistake: `unauthenticated` without one, `token_invalid`, `token_expired`, `banned`, and `rate_limited`
    after too many forged ones from this address; they are counted together with those of the WebSocket.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        refuse("unauthenticated", "Send a token in the header Authorization, as Bearer.")
    house, clock = request.app[GATEWAY].conversation, request.app[CLOCK]
    address = address_key(client_address(request))
    if house.failed_auths.exhausted(address, clock.now()):
        refuse("rate_limited", "Too many failed authentications from this address.", {"retry_after": 60})
    if KEY_SET in request.app:
        await request.app[KEY_SET].prepare(token.strip())
    try:
        claims = request.app[TOKENS].verify(token.strip(), clock.utc())
    except ClientMistake as mistake:
        if mistake.code == "token_invalid":
            house.failed_auths.take(address, clock.now())
        raise
    check_admission(house, claims)
    return claims
