"""Look-ups in the database that a message needs before it is handled: a token's key, the room of a join.

Shell: it waits for the database and for argon2, and decides nothing but in which order. The rules are in `call.entry`.
"""

from dataclasses import replace

from signaling.call.joining import Entry, knock
from signaling.call.rooms import RoomPolicy
from signaling.call.sessions import check_failed_secrets, counting_failures
from signaling.call.state import State
from signaling.clock import SYSTEM_CLOCK, Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.identity.grants import Role
from signaling.identity.jwks_source import JwksKeeper
from signaling.identity.passwords import Passwords
from signaling.protocol.client_messages import Auth, Join, Moderate, Request
from signaling.protocol.session import Session
from signaling.storage import invites, rooms
from signaling.storage.database import Database
from signaling.storage.room_record import Room, message_days


class DatabaseLookUp:
    """Looks up what `auth`, `join` and a move to another room need.

    `key_set` is None where the server alone issues tokens.
    """

    def __init__(
        self, database: Database, passwords: Passwords, key_set: JwksKeeper | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._key_set = key_set
        self._clock = clock

    async def token(self, token: str) -> None:
        """Have the key at hand that may have signed this token."""
        if self._key_set is not None:
            await self._key_set.prepare(token)

    async def prepare(self, state: State, session: Session, request: Request) -> Request:
        """The request, with what was found for it. Raises nothing that a client can cause."""
        if isinstance(request.payload, Auth) and session.state == "opened":
            await self.token(request.payload.token)
        elif isinstance(request.payload, Join) and session.state == "authenticated":
            return request._replace(found=await self._entry(state, session, request.payload))
        elif isinstance(request.payload, Moderate) and request.payload.room and session.state == "joined":
            return request._replace(found=await self.room(state, request.payload.room))
        return request

    async def room(self, state: State, room_id: str) -> Entry:
        """The rules of a room that somebody is to be moved to."""
        entry = Entry(asked_at=self._clock.now())
        try:
            kept = await self._kept(room_id)
        except StorageUnavailable as outage:
            return replace(entry, refusal=ClientMistake(outage.code))
        return entry if kept is None else replace(entry, policy=policy_of(kept, state.rooms.default_policy))

    async def _kept(self, room_id: str) -> Room | None:
        async with self._database.reading() as connection:
            return await rooms.find(connection, room_id)

    async def _entry(self, state: State, session: Session, join: Join) -> Entry:
        now = self._clock.now()
        entry = Entry(asked_at=now)
        assert session.claims is not None
        try:
            knock(state, session.claims, join.room, now)
            if join.invite is not None:
                role = await self._use_invite(state, session, join.invite, join.room)
                entry = replace(entry, invited_as=role)
            room = await self._kept(join.room)
            if room is None:
                return entry
            entry = replace(entry, policy=policy_of(room, state.rooms.default_policy))
            if join.password is not None and room.password_hash is not None:
                await self._check_password(state, session, join.password, room.password_hash)
                entry = replace(entry, password=True)
        except ClientMistake as mistake:
            return replace(entry, refusal=mistake)
        except StorageUnavailable as outage:
            return replace(entry, refusal=ClientMistake(outage.code))
        return entry

    async def _check_password(self, state: State, session: Session, password: str, kept: str) -> None:
        """Raises ClientMistake: `password_wrong`, `rate_limited` once too many were, from this address."""
        address = _address(session)
        with counting_failures(state, address, self._clock.now, "password_wrong"):
            right = await self._passwords.verify(password, kept)
            # Of those that are tried at once, no more are answered than one after the other would be.
            check_failed_secrets(state, address, self._clock.now())
            if not right:
                state.counters["wrong_passwords"] += 1
                raise ClientMistake("password_wrong")

    async def _use_invite(self, state: State, session: Session, token: str, room_id: str) -> Role:
        """The role that an invite gives; whoever has used it before may again.

        Raises ClientMistake: `invite_invalid`, also for one of another room, and `rate_limited`, as for passwords.
        """
        assert session.claims is not None
        with counting_failures(state, _address(session), self._clock.now, "invite_invalid"):
            async with self._database.transaction() as connection:
                invite = await invites.accept(connection, token, session.claims.identity, self._clock.utc())
                if invite.room_id != room_id:
                    raise ClientMistake("invite_invalid")
        return invite.role


def _address(session: Session) -> str:
    return "" if session.carrier is None else session.carrier.address


def policy_of(room: Room, default: RoomPolicy) -> RoomPolicy:
    """The rules of a room that is kept, with those of the server where it leaves something to it."""
    return RoomPolicy(
        version=room.version,
        room_type=room.room_type,
        owner=room.owner,
        guild_id=room.guild_id,
        max_participants=room.max_participants,
        duplicate_identity=room.duplicate_identity or default.duplicate_identity,
        is_private=room.is_private,
        has_password=room.password_hash is not None,
        is_moderated=room.is_moderated,
        quality_preset=room.quality_preset,
        scheduled_end=room.scheduled_end,
        message_days=message_days(room.settings),
    )
