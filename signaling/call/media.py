"""Offers and candidates, the reports of the media server, and quality presets."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import structlog

from sfu.errors import BadOffer
from sfu.observer import SlotAssignment, Speaker
from sfu.offer import CandidateType
from sfu.opus import OpusWishes
from sfu.probe import Reading
from signaling.call import talk
from signaling.call.rooms import Participant
from signaling.call.state import State, announce_update
from signaling.errors import ClientMistake, code_for_media
from signaling.protocol.client_messages import IceCandidate, Offer, Request
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import Session

PRESETS: Mapping[str, OpusWishes] = {
    "low": OpusWishes(bitrate=16_000, ptime=40, dtx=True),
    "standard": OpusWishes(bitrate=32_000),
    "high": OpusWishes(bitrate=64_000),
    "music": OpusWishes(bitrate=128_000, fec=False, stereo=True),
}
"""Opus settings by the name of a room's quality preset. `low` halves the packets; FEC works for speech only."""


def audio_view(preset: str) -> dict[str, object]:
    """A preset as in `joined`: bits a second, milliseconds of a packet, DTX, FEC, stereo."""
    wishes = PRESETS[preset]
    return {
        "preset": preset,
        "bitrate": wishes.bitrate,
        "ptime": wishes.ptime,
        "dtx": wishes.dtx,
        "fec": wishes.fec,
        "stereo": wishes.stereo,
    }


def offer(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `offer`: a first offer, a changed one or an ICE restart; the answer is `answer`.

    Raises ClientMistake: `bad_sdp`, `no_audio`, `no_codec`, with the finer code of the parser in the details.
    """
    del now
    person = state.person(session)
    with _clients_mistake():
        sdp = state.media.connections.answer(person.id, cast(Offer, request.payload).sdp, _wishes(state, person))
    return Outgoing("answer", {"sdp": sdp})


def _wishes(state: State, person: Participant) -> OpusWishes:
    """The preset of the room. Participants get a changed preset with their next offer."""
    room = state.rooms.find(person.room_id)
    assert room is not None
    return PRESETS[room.policy.quality_preset]


def live(state: State, room_id: str) -> list[tuple[Participant, Reading]]:
    """The participants of a room in the order in which they joined, and what each sends; hidden ones are left out."""
    readings = {reading.participant: reading for reading in state.media.observation.live(room_id)}
    return [(person, readings[person.id]) for person in state.people(room_id) if person.id in readings]


def ice_candidate(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `ice-candidate`, kept for diagnosis: the server learns addresses from the checks (RFC 8445).

    An empty candidate ends the candidates (RFC 8838). Raises ClientMistake: `bad_sdp`.
    """
    del now
    person = state.person(session)
    candidate = cast(IceCandidate, request.payload).candidate
    if candidate:
        with _clients_mistake():
            state.media.connections.add_candidate(person.id, candidate)
    return OK


@contextmanager
def _clients_mistake() -> Iterator[None]:
    """Turn a BadOffer into a ClientMistake, with the finer code of the parser in its details."""
    try:
        yield
    except BadOffer as error:
        raise ClientMistake(code_for_media(error.code), error.message, {"reason": error.code}) from None


def connection_began(state: State, participant_id: str) -> None:
    """Record a new peer connection."""
    state.records.chronicle.media_began(participant_id, state.utc())


def connection_ended(state: State, participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
    """Record the end of a peer connection, and the octets of each direction."""
    state.records.chronicle.media_ended(participant_id, reason, sent_received, state.utc())


def connected(state: State, participant_id: str, candidate_type: CandidateType | None, now: float) -> None:
    """The peer connection is up: the participant is active, unless its carrier is lost."""
    person, session = state.rooms.participant(participant_id), state.audience.session(participant_id)
    if person is None or session is None:
        return
    person.media_up = True
    state.records.chronicle.media_connected(person.id, candidate_type, state.utc())
    session.media(True, now)
    if session.carrier is not None and person.step("media_up"):
        announce_update(state, person, to_self=True)


def gone(state: State, participant_id: str, reason: str, now: float) -> None:
    """The peer connection has ended: tell the client to open a new one, and announce that it is reconnecting."""
    person, session = state.rooms.participant(participant_id), state.audience.session(participant_id)
    if person is None or session is None:
        return
    person.media_up = False
    session.media(False, now)
    session.slots = None
    session.send(Outgoing("endpoint-gone", {"reason": reason}))
    if person.step("media_down"):
        announce_update(state, person, to_self=True)


def arrives(state: State, participant_id: str, arriving: bool) -> None:
    """Tell a participant whether its audio arrives."""
    state.audience.send(participant_id, Outgoing("media", {"arriving": arriving}))


def slots_changed(state: State, participant_id: str, slots: Sequence[SlotAssignment]) -> None:
    """Send `slots`, and store it for a client that has missed more than is kept for `resume`."""
    session = state.audience.session(participant_id)
    if session is not None:
        listed = [{"mid": slot.mid, "participant": slot.participant, "gain": slot.gain} for slot in slots]
        message = Outgoing("slots", {"slots": listed})
        session.slots = message.without_payload()
        session.send(message)


def speakers_changed(state: State, room_id: str, speakers: Sequence[Speaker]) -> None:
    """Send `speakers` to the room."""
    room = state.rooms.find(room_id)
    if room is not None:
        listed = [{"participant": speaker.participant, "level": round(speaker.level, 4)} for speaker in speakers]
        state.audience.send_room(room, Outgoing("speakers", {"speakers": listed}))


def flooding(state: State, participant_id: str) -> None:
    """Tell a participant that it sends too many packets."""
    session = state.audience.session(participant_id)
    if session is not None:
        state.refuse(session, ClientMistake("rate_limited", "too many packets; the server drops the excess"))


_log = structlog.get_logger("signaling.media")


class MediaWatch:
    """A `MediaObserver` that passes reports to the conversation, which may start later; `now` is monotonic seconds."""

    def __init__(self, state: Callable[[], State], now: Callable[[], float]) -> None:
        self._state = state
        self._now = now

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None) -> None:
        """The peer connection is up."""
        self._report(connected, participant_id, candidate_type, self._now())

    def media_gone(self, participant_id: str, reason: str) -> None:
        """The peer connection has ended."""
        self._report(gone, participant_id, reason, self._now())

    def connection_began(self, participant_id: str) -> None:
        """An offer has begun a peer connection."""
        self._report(connection_began, participant_id)

    def connection_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
        """A peer connection has ended."""
        self._report(connection_ended, participant_id, reason, sent_received)

    def media_arriving(self, participant_id: str, arriving: bool) -> None:
        """RTP of a participant has started or stopped to arrive."""
        self._report(arrives, participant_id, arriving)

    def slots_changed(self, participant_id: str, slots: Sequence[SlotAssignment]) -> None:
        """The slots of a listener have changed."""
        self._report(slots_changed, participant_id, slots)

    def speakers_changed(self, room_id: str, speakers: Sequence[Speaker]) -> None:
        """The speakers of a room have changed."""
        self._report(speakers_changed, room_id, speakers)

    def tone(self, participant_id: str, tone: str, duration: float) -> None:
        """A participant has sent a DTMF tone of `duration` seconds."""
        self._report(talk.heard, participant_id, tone, duration)

    def flooding(self, participant_id: str) -> None:
        """A participant sends more packets than audio needs."""
        self._report(flooding, participant_id)

    def _report(self, handler: Callable[..., None], *arguments: object) -> None:
        """Call a handler. An observer must not raise: failures are logged."""
        try:
            handler(self._state(), *arguments)
        except Exception:
            _log.exception("media_event_failed", media_event=handler.__name__)
