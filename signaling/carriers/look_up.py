"""The look-ups of `auth`, `join` and `move`: the key of a token's issuer, the stored room, its password, an invite.

It waits for the database and argon2, and sets only their order. The rules are in `call.joining`.
"""

from dataclasses import replace

from signaling.call.joining import Entry, knock
from signaling.call.rooms import RoomPolicy
from signaling.call.sessions import check_failed_secrets, counting_failures
from signaling.call.state import State
from signaling.clock import SYSTEM_CLOCK, Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.identity.grants import Role
from signaling.identity.jwks_source import JwksWatcher
from signaling.identity.passwords import Passwords
from signaling.protocol.client_messages import Auth, Join, Moderate, Request
from signaling.protocol.session import Session
from signaling.storage import invites, rooms
from signaling.storage.database import Database
from signaling.storage.room_record import Room, message_days


class DatabaseLookUp:
    """The look-ups in the database. `key_set` is None where the server is the only issuer of tokens."""

    def __init__(
        self, database: Database, passwords: Passwords, key_set: JwksWatcher | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._key_set = key_set
        self._clock = clock

    async def token(self, token: str) -> None:
        """Read the issuer's key set if it may have signed this token."""
        if self._key_set is not None:
            await self._key_set.prepare(token)

    async def prepare(self, state: State, session: Session, request: Request) -> Request:
        """The request with the results of its look-ups; a failed one is in `Entry.refusal`."""
        if isinstance(request.payload, Auth) and session.state == "opened":
            await self.token(request.payload.token)
        elif isinstance(request.payload, Join) and session.state == "authenticated":
            return request._replace(found=await self._entry(state, session, request.payload))
        elif isinstance(request.payload, Moderate) and request.payload.room and session.state == "joined":
            return request._replace(found=await self.room(state, request.payload.room))
        return request

    async def room(self, state: State, room_id: str) -> Entry:
        """The policy of the new room of a `move`."""
        entry = Entry(asked_at=self._clock.now())
        try:
            room = await self._stored(room_id)
        except StorageUnavailable as outage:
            return replace(entry, refusal=ClientMistake(outage.code))
        return entry if room is None else replace(entry, policy=policy_of(room, state.default_policy))

    async def _stored(self, room_id: str) -> Room | None:
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
            room = await self._stored(join.room)
            if room is None:
                return entry
            entry = replace(entry, policy=policy_of(room, state.default_policy))
            if join.password is not None and room.password_hash is not None:
                await self._check_password(state, session, join.password, room.password_hash)
                entry = replace(entry, password=True)
        except ClientMistake as mistake:
            return replace(entry, refusal=mistake)
        except StorageUnavailable as outage:
            return replace(entry, refusal=ClientMistake(outage.code))
        return entry

    async def _check_password(self, state: State, session: Session, password: str, stored: str) -> None:
        """Raises ClientMistake: `password_wrong`, `rate_limited` after too many failures from this address."""
        address = _address(session)
        with counting_failures(state, address, self._clock.now, "password_wrong"):
            right = await self._passwords.verify(password, stored)
            # Again: concurrent attempts must not get more answers than attempts one after the other.
            check_failed_secrets(state, address, self._clock.now())
            if not right:
                state.counters["wrong_passwords"] += 1
                raise ClientMistake("password_wrong")

    async def _use_invite(self, state: State, session: Session, token: str, room_id: str) -> Role:
        """The role of an invite. An identity that has used it before may use it again.

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
    """The policy of a stored room; `default` fills the fields that the room leaves to the server."""
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
