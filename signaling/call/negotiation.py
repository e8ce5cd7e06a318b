"""Handlers for the peer connection: offer, ice-candidate. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from sfu.errors import BadOffer
from sfu.opus import OpusWishes
from signaling.call.quality_presets import PRESETS
from signaling.call.rooms import Participant
from signaling.errors import ClientMistake, code_for_media
from signaling.protocol.client_messages import IceCandidate, Offer, Request
from signaling.protocol.server_messages import OK, Outgoing

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session


def offer(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """A first offer, a changed one or an ICE restart; the answer is `answer`.

    Raises ClientMistake: `bad_sdp`, `no_audio`, `no_codec`, with the finer code of the parser in the details.
    """
    del now
    person = house.person(session)
    with _clients_mistake():
        sdp = house.media.answer(person.id, cast(Offer, request.payload).sdp, _wishes(house, person))
    return Outgoing("answer", {"sdp": sdp})


def _wishes(house: "Conversation", person: Participant) -> OpusWishes:
    """What the room asks of the encoder, by its quality preset; a change reaches who is there with their next offer."""
    room = house.rooms.find(person.room_id)
    assert room is not None
    return PRESETS[room.policy.quality_preset]


def ice_candidate(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """A candidate of the client's, kept for diagnosis: the server learns addresses from the checks (RFC 8445).

    Raises ClientMistake: `bad_sdp`. An empty one says that there are no more (RFC 8838).
    """
    del now
    person = house.person(session)
    candidate = cast(IceCandidate, request.payload).candidate
    if candidate:
        with _clients_mistake():
            house.media.add_candidate(person.id, candidate)
    return OK


@contextmanager
def _clients_mistake() -> Iterator[None]:
    """What the media server cannot take is the client's mistake; the finer code of the parser is in the details."""
    try:
        yield
    except BadOffer as error:
        raise ClientMistake(code_for_media(error.code), error.message, {"reason": error.code}) from None
