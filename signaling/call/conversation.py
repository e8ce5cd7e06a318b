"""The entry of carriers to signaling, and the table from message types to handlers. Pure."""

from collections.abc import Callable, Iterator, Mapping

from signaling.call import joining, media, moderation, sessions, talk
from signaling.call.floor import lift_due
from signaling.call.leaving import close_ended, depart, end_call, expel_denied, is_admitted, look_at_load
from signaling.call.moderation import lift_expired
from signaling.call.sessions import authenticate
from signaling.call.state import State, announce_update, release_connection, within_rate
from signaling.errors import ClientMistake, ClosingMistake
from signaling.identity.tokens import refresh_time
from signaling.limits import FloodGuard
from signaling.protocol.client_messages import BadRequest, Request, parse_client_message
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import Carrier, Session

Handler = Callable[[State, Session, Request, float], Outgoing | None]
"""Handles a request at `now` and returns its answer; None where it has sent the answer itself.

Raises ClientMistake before it changes anything.
"""

HANDLERS: Mapping[str, Handler] = {
    "auth": sessions.auth,
    "join": joining.join,
    "leave": sessions.leave,
    "participants": sessions.participants,
    "resume": sessions.resume,
    "offer": media.offer,
    "ice-candidate": media.ice_candidate,
    "mute": talk.set_own_flag,
    "unmute": talk.set_own_flag,
    "deafen": talk.set_own_flag,
    "undeafen": talk.set_own_flag,
    "hold": talk.set_own_flag,
    "unhold": talk.set_own_flag,
    "dtmf": talk.press,
    "message": talk.message,
    "signal": talk.signal,
    "ping": talk.ping,
    "moderate": moderation.moderate,
}


class Conversation(State):
    """The state of signaling with the dispatch of messages. Carriers call its methods.

    `now` is monotonic seconds; `utc` is read for tokens and for the times in messages.
    """

    def open(self, carrier: Carrier, now: float, token: str | None = None) -> None:
        """Begin a session on a new carrier; `token` is the one sent with the opening of the connection, if any."""
        settings = self.settings
        guard = FloodGuard(settings.messages_per_second, settings.message_burst, now)
        session = Session(carrier, now, guard, self.random)
        session.auth_seconds = settings.auth_seconds
        session.seat_seconds = settings.seat_seconds
        carrier.session = session
        self.sessions[session.id] = session
        self.counters["sockets_opened"] += 1
        if token is None:
            return
        try:
            welcome = authenticate(self, session, token, now)
        except ClientMistake as mistake:
            self.refuse(session, mistake)
        else:
            session.step("auth")
            session.send(welcome)

    def read(self, carrier: Carrier, text: str | bytes, now: float) -> Request | None:
        """Parse and count one message of a client; None where it was refused, and answered.

        The carrier looks up what the request needs between `read` and `act`: see `joining.Entry`.
        """
        session = carrier.session
        if session is None:
            return None
        self.counters["messages_in"] += 1
        if not within_rate(self, carrier, now):
            return None
        try:
            return parse_client_message(text)
        except BadRequest as mistake:
            self.refuse(session, mistake, mistake.request_id)
        except ClientMistake as mistake:
            self.refuse(session, mistake)
        return None

    def act(self, carrier: Carrier, request: Request, now: float) -> None:
        """Handle a request and answer it. Raises only for a mistake of the server."""
        session = carrier.session
        if session is None:
            return
        try:
            self._dispatch(session, request, now)
        except ClientMistake as mistake:
            self.refuse(session, mistake, request.id)

    def lost(self, carrier: Carrier, now: float) -> None:
        """A carrier has ended. A session in a room waits for `resume`; any other session ends."""
        session, carrier.session = carrier.session, None
        if session is None:
            return
        release_connection(self, session)
        session.lose(now)
        if session.state == "closed":
            self.sessions.pop(session.id, None)
            return
        person = self.rooms.participant(session.participant_id or "")
        if person is not None and person.step("lost"):
            announce_update(self, person)

    def fail(self, carrier: Carrier) -> None:
        """Answer a mistake of the server with `internal`, and close this carrier. No other session is affected."""
        session = carrier.session
        if session is not None:
            self.refuse(session, ClosingMistake("internal"))
        else:
            carrier.close("internal")

    def due(self, now: float) -> Iterator[Session]:
        """The sessions that need a call of `expire`."""
        for session in list(self.sessions.values()):
            deadline, refresh_at = session.deadline(), session.refresh_at
            if (deadline is not None and deadline <= now) or (
                refresh_at is not None and refresh_at <= now and session.carrier is not None
            ):
                yield session

    def expire(self, session: Session, now: float) -> None:
        """End a session whose time is over, or send it a fresh token."""
        deadline = session.deadline()
        if deadline is None or deadline > now:
            self._refresh_token(session, now)
        elif session.state == "opened":
            self.refuse(session, ClosingMistake("unauthenticated", "the client sent no token in time"))
            self.end(session, "expired")
        else:
            person = self.rooms.participant(session.participant_id or "")
            self.end(session, "expired")
            if person is not None:
                depart(self, person, "connection_timeout", now)

    def shut_down(self) -> None:
        """End all calls, announce the shutdown, and close all carriers."""
        for room in self.rooms:
            end_call(self, room, "server_shutdown")
            for person in room:
                self.records.chronicle.left(person.id, "server_shutdown", self.utc())
        message = Outgoing("reconnect", {"action": "reconnect", "reason": "server_shutdown"})
        for session in list(self.sessions.values()):
            if session.carrier is not None:
                session.send(message)
                session.carrier.close("server_shutdown")

    def clear_up(self, now: float) -> None:
        """Lift expired mutes and floors, drop idle rate limiters and expired bans, read the load of the event loop, and
        remove participants who are banned on another node.
        """
        look_at_load(self)
        if self.records.deny_list.take_news():
            expel_denied(self, now)
        lift_expired(self, now)
        lift_due(self, now)
        close_ended(self, now)
        self.mutes_of_absent.forget_expired(now)
        self.records.deny_list.forget_expired(self.utc())
        self.rooms.forget_closed(now)
        self.failed_auths.forget_idle(now)
        self.join_limit.forget_idle(now)

    def _dispatch(self, session: Session, request: Request, now: float) -> None:
        """Check the session's state, call the handler, send the answer. The state changes only on success."""
        before = session.state
        session.check(request.type)
        if request.type != "resume":
            session.heard()
        reply = HANDLERS[request.type](self, session, request, now)
        if session.state == before:
            session.step(request.type)
        if reply is not None and (reply is not OK or request.id is not None):
            session.send(reply, request.id)

    def _refresh_token(self, session: Session, now: float) -> None:
        """Send a fresh token once `refresh_at` has come, unless the bearer is banned or the token revoked."""
        if session.claims is None or session.refresh_at is None or session.refresh_at > now:
            return
        if not is_admitted(self, session.claims):
            expel_denied(self, now)
            return
        utc = self.utc()
        token = self.tokens.refresh(session.claims, utc)
        session.claims = self.tokens.verify(token, utc)
        session.refresh_at = refresh_time(session.claims.expires_at, utc, now)
        session.send(Outgoing("token", {"token": token}))
