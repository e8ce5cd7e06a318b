"""A real server, and an operator who asks it over HTTP; people who are in its rooms by plain HTTP, without media."""

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

ROOMS = "/api/v1/rooms"


@dataclass
class Guest:
    """Somebody who has joined."""

    server: "OperatedServer"
    room: str
    name: str
    id: str
    identity: str
    session: str

    def leave(self) -> None:
        """End the session."""
        self.server.ask("POST", f"{ROOMS}/{self.room}/leave", {}, headers={"Parley-Session": self.session})


class OperatedServer(ServerProcess):
    """`operator` is a token that may all."""

    operator = ""

    def start(self) -> None:
        """Server default; then its operator's token is asked for."""
        super().start()
        self.operator = self.ask("POST", "/dev/token", {"role": "operator", "name": "Olga"})["token"]

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """What the server answers: JSON, or None where there is none. Anything but success fails."""
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {token or self.operator}"}
        if not (token or self.operator):
            del sent["Authorization"]
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent | (headers or {}))
            answer = connection.getresponse()
            told = answer.read()
            assert answer.status < 300, (method, path, answer.status, told)
            return json.loads(told) if told else None
        finally:
            connection.close()

    def make_room(self, room: str, **settings: object) -> None:
        """A room that is kept."""
        self.ask("POST", ROOMS, {"id": room, "name": room, **settings})

    def token(self, identity: str, role: str, room: str | None = None) -> str:
        """A token for somebody."""
        order = {"identity": identity, "role": role, "name": identity, "room": room, "invited": room is not None}
        return str(self.ask("POST", "/api/v1/tokens", order)["token"])

    def join(self, room: str, name: str) -> Guest:
        """Somebody comes in."""
        token = self.token(name.lower().replace(" ", "-"), "member", room)
        answer = self.ask("POST", f"{ROOMS}/{room}/join", {"display_name": name}, token=token)
        person = answer["joined"]["participant"]
        session = f"{answer['session']}.{answer['secret']}"
        return Guest(self, room, name, person["id"], person["identity"], session)

    def moderate(self, guest: Guest, action: str, **more: object) -> None:
        """One act by the operator."""
        self.ask("POST", f"{ROOMS}/{guest.room}/moderation", {"action": action, "target": guest.id, **more})

    def admin(self, address: str = "", token: str | None = None) -> str:
        """The admin page for this bearer."""
        return f"{self.url}/admin#{address}{'&' if address else ''}token={token or self.operator}"
