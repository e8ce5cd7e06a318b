"""`join`: admission, the room's requirements, and the answer with the state of the room. Pure."""

from dataclasses import dataclass, replace
from math import ceil
from typing import cast

from signaling.call.floor import adopt
from signaling.call.leaving import check_admission, depart, dismiss, look_at_load, return_mutes
from signaling.call.media import audio_view
from signaling.call.rooms import LiveRoom, Participant, RoomPolicy
from signaling.call.state import State
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, Role
from signaling.identity.names import clean_name
from signaling.identity.permissions import may
from signaling.ids import uuid7
from signaling.protocol.client_messages import Join, Request
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The look-up for a join that arrived at `asked_at` (monotonic seconds).

    `policy` is None for a room that is not stored. `password` says that the client sent the right one, `invited_as` is
    the role of a valid invite that it sent. `refusal` is the error of a look-up that failed.
    """

    asked_at: float
    policy: RoomPolicy | None = None
    password: bool = False
    invited_as: Role | None = None
    refusal: ClientMistake | None = None


def knock(state: State, claims: Claims, room_id: str, now: float) -> None:
    """Check a join before the look-up, and count it against the rate.

    Raises ClientMistake: `forbidden`, `banned`, `token_invalid` (revoked), `overloaded`, `rate_limited`.
    """
    check_admission(state, claims)
    if not claims.grants.room_join or claims.grants.room != room_id:
        raise ClientMistake("forbidden", "the token is not for this room")
    _check_load(state)
    wait = state.join_limit.take_or_wait(claims.identity, now)
    if wait:
        raise ClientMistake("rate_limited", "too many joins with this identity", {"retry_after": ceil(wait)})


def check_entry(policy: RoomPolicy, claims: Claims, entry: Entry) -> Role:
    """The role in the room. Raises ClientMistake: `password_required`, `invite_required`."""
    role = policy.role_of(claims.identity, claims.role, entry.invited_as)
    shown = entry.password or claims.invited or entry.invited_as is not None
    if not policy.needs_key or shown or RANK[role] >= RANK["moderator"]:
        return role
    raise ClientMistake("password_required" if policy.has_password else "invite_required")


def join(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Handle `join`: enter a room, announce it to the others, and answer with `joined`.

    Raises ClientMistake: as `knock` and `check_entry`; `not_found` for a room deleted after the look-up, or one that
    must be created first; `room_closed`, `room_full`, `duplicate_identity`, and the refusal of the look-up.
    """
    payload, claims = cast(Join, request.payload), session.claims
    assert claims is not None
    entry = _found(state, claims, request, now)
    check_admission(state, claims)
    policy = _policy(state, claims, payload.room, entry)
    role = check_entry(policy, claims, entry)
    standing = replace(claims, role=role)
    adopt(state, payload.room, policy)
    older = state.rooms.prospect(payload.room, policy).check_place(claims.identity)
    if older is not None:
        _make_way(state, older, now)
    person = _newcomer(state, standing, payload)
    room = state.rooms.admit(person, policy)
    try:
        state.media.participants.add(room.id, person.id, person.media_flags)
        session.standing = standing
        state.audience.attach(person.id, session)
        return_mutes(state, person, now)
        _record(state, session, person, room)
        state.audience.introduce(room, person)
        return joined(state, person)
    except BaseException:
        # A client without `joined` must not count as a participant, whatever has failed.
        depart(state, person, "join_failure", now)
        raise


def _record(state: State, session: "Session", person: Participant, room: LiveRoom) -> None:
    assert session.carrier is not None
    state.counters["joins"] += 1
    state.records.chronicle.joined(person, room.call, session.carrier.address, session.carrier.user_agent)


def joined(state: State, person: Participant) -> Outgoing:
    """`joined`: the state of the room as `person` sees it."""
    room = state.rooms.find(person.room_id)
    assert room is not None
    return Outgoing(
        "joined",
        {
            "room": room.id,
            "call": room.call.view(),
            "participant": person.view(),
            "participants": room.views(person),
            "ice_servers": list(state.settings.ice_servers),
            "limits": _limits(state, room.policy),
            "audio": audio_view(room.policy.quality_preset),
        },
    )


def _limits(state: State, policy: RoomPolicy) -> dict[str, int]:
    """The limits of a room, with the days for which it stores messages, if it does."""
    limits = {"slots": state.settings.slots, "max_participants": policy.max_participants}
    return limits if policy.message_days is None else {**limits, "message_days": policy.message_days}


def _check_load(state: State) -> None:
    """Shed joins while the event loop is late. Raises ClientMistake (`overloaded`).

    A join that is shed does not count against the rate, because its client retries as told.
    """
    if not look_at_load(state):
        state.counters["joins_shed"] += 1
        raise ClientMistake("overloaded", details={"retry_after": state.join_gate.RETRY_AFTER})


def _found(state: State, claims: Claims, request: Request, now: float) -> Entry:
    if request.found is None:
        knock(state, claims, cast(Join, request.payload).room, now)
        return Entry(asked_at=now)
    entry = cast(Entry, request.found)
    if entry.refusal is not None:
        raise entry.refusal
    return entry


def _policy(state: State, claims: Claims, room_id: str, entry: Entry) -> RoomPolicy:
    """The policy of a stored room, or the default policy where rooms need not be created first."""
    if state.rooms.closed_since(room_id, entry.asked_at):
        raise ClientMistake("not_found", "the room was deleted")
    if entry.policy is None:
        if not state.settings.auto_create_rooms and not may(claims, "room.create"):
            raise ClientMistake("not_found", "there is no such room")
        return state.default_policy
    if entry.policy.has_ended(state.utc()):
        raise ClientMistake("room_closed")
    return entry.policy


def _newcomer(state: State, standing: Claims, payload: Join) -> Participant:
    """Named by the token, else by the client's `display_name`, else by the identity."""
    utc = state.utc()
    return Participant(
        id=uuid7(utc, state.random),
        identity=standing.identity,
        name=standing.name or clean_name(payload.display_name) or standing.identity,
        role=standing.role,
        room_id=payload.room,
        joined_at=utc,
        may_publish=may(standing, "audio.publish", room=payload.room),
        may_hear=may(standing, "audio.subscribe", room=payload.room),
        hidden=standing.grants.hidden,
    )


def _make_way(state: State, older: Participant, now: float) -> None:
    """Remove the older participant of the same identity; its client is told not to reconnect."""
    session = state.audience.session(older.id)
    depart(state, older, "duplicate_identity", now)
    if session is not None:
        dismiss(state, session, "duplicate_identity", "duplicate_identity")
