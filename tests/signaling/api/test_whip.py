"""WHIP (RFC 9725) and WHEP over real sockets; media is a stand-in that answers with the offer itself."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from signaling.api import whip as module
from signaling.errors import ERRORS
from signaling.http.app_keys import CLOCK, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from signaling.identity.issuing import TokenOrder
from tests.sfu.offers import one_line
from tests.signaling.fakes import receive
from tests.signaling.http.callers import Line, enter, person
from tests.signaling.serving import Served, served

WHIP = "/api/v1/rooms/den/whip"
WHEP = "/api/v1/rooms/den/whep"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
RESTART = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n"
CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n"


class Client:
    """A client of WHIP or WHEP. `resource` and `tag` are those of the last 201."""

    def __init__(self, server: Served, path: str = WHIP, identity: str = "studio", **claims: Any) -> None:
        self.server = server
        self.path = path
        self.direction = "sendonly" if path.endswith("whip") else "recvonly"
        grants = Grants(room=claims.pop("room", "den"), room_join=True, **claims)
        self.token: str | None = server.app[TOKENS].issue(identity, grants=grants, utc=server.app[CLOCK].utc())
        self.resource = ""
        self.tag = ""

    async def send(self, method: str, path: str, body: str = "", kind: str = "", **more: str) -> tuple[Any, str]:
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if kind:
            headers["Content-Type"] = kind
        response, text = await self.server.ask(path, method, headers=headers, data=body.encode() if kind else None)
        return response, text.decode()

    async def post(self, offer: str | None = None, kind: str = SDP, **more: str) -> tuple[Any, str]:
        offer = one_line(direction=self.direction) if offer is None else offer
        response, text = await self.send("POST", self.path, offer, kind, **more)
        if response.status == 201:
            self.resource, self.tag = response.headers["Location"], response.headers["ETag"]
        return response, text

    async def patch(self, body: str = CANDIDATE, kind: str = FRAGMENT, **more: str) -> tuple[Any, str]:
        return await self.send("PATCH", self.resource, body, kind, **more)


def seen(line: Line, kind: str) -> list[dict[str, Any]]:
    return [frame["payload"] for frame in line.take() if frame["type"] == kind]


async def test_rfc_9725_section_4_2_an_offer_is_answered_and_a_resource_begins_and_ends(tmp_path: Path) -> None:
    async with served(tmp_path, stun_servers=["stun:stun.example.net:3478"]) as server:
        ana, studio = enter(server, "ana"), Client(server)
        response, answer = await studio.post()
        assert (response.status, response.content_type) == (201, SDP)
        assert "a=sendonly" in answer
        assert studio.resource.startswith(f"{WHIP}/")
        assert len(studio.resource.rpartition("/")[2]) >= 22, "128 bits"
        assert studio.tag == '"abcd"'
        assert response.headers["Accept-Patch"] == FRAGMENT
        assert response.headers.getall("Link") == ['<stun:stun.example.net:3478>; rel="ice-server"']
        assert response.headers["Cache-Control"] == "no-store"
        frames = ana.take()
        assert [frame["type"] for frame in frames] == ["participant-joined", "participant-updated"]
        person = frames[-1]["payload"]["participant"]
        assert (person["identity"], person["self_deaf"], person["self_mute"]) == ("studio", True, False)
        assert (await studio.send("GET", studio.resource))[0].status == 204
        response, _ = await studio.send("DELETE", studio.resource, If_Match='"other"')
        assert response.status == 200
        assert [one["reason"] for one in seen(ana, "participant-left")] == ["client_initiated"]
        for method in ("DELETE", "GET"):
            assert (await studio.send(method, studio.resource))[0].status == 404
        assert (await studio.patch())[0].status == 404
        assert len(server.app[GATEWAY].conversation.sessions) == 1


async def test_a_listener_is_seen_and_says_that_it_does_not_speak(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana, ear = enter(server, "ana"), Client(server, WHEP, "ear")
        response, answer = await ear.post(one_line(direction="sendrecv"))
        assert response.status == 201
        assert "a=recvonly" in answer, "whatever was offered, it goes one way"
        assert "a=sendrecv" not in answer
        (updated,) = seen(ana, "participant-updated")
        assert (updated["participant"]["self_mute"], updated["participant"]["self_deaf"]) == (True, False)
        assert ear.resource.startswith(f"{WHEP}/")
        wrong = ear.resource.replace("/whep/", "/whip/")
        assert (await ear.send("DELETE", wrong))[0].status == 404


async def test_rfc_9725_section_4_3_candidates_and_restarts_by_patch_of_rfc_5789(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        studio = Client(server)
        await studio.post()
        response, text = await studio.patch(If_Match=studio.tag)
        assert (response.status, text, "ETag" in response.headers) == (204, "", False)
        assert (await studio.patch("", If_Match="*"))[0].status == 204
        assert (await studio.patch())[0].status == 428
        assert (await studio.patch(If_Match='"other"'))[0].status == 412
        assert (await studio.patch("nonsense", If_Match="*"))[0].status == 400
        response, _ = await studio.patch(kind="text/plain", If_Match="*")
        assert (response.status, response.headers["Accept-Patch"]) == (415, FRAGMENT)
        response, text = await studio.patch(RESTART, If_Match='"*"')
        assert (response.status, response.content_type, response.headers["ETag"]) == (200, FRAGMENT, '"ysXw"')
        assert "a=ice-ufrag:ysXw\r\n" in text
        assert "a=rtpmap" not in text
        assert (await studio.patch(If_Match=studio.tag))[0].status == 412, "that ICE session is over"
        assert (await studio.patch(RESTART, If_Match='"ysXw"'))[0].status == 204, "it restarts once"


async def test_rfc_9725_section_4_1_there_is_nothing_to_get_and_nothing_to_put(tmp_path: Path) -> None:
    async with served(tmp_path, allowed_origins=["https://studio.example"]) as server:
        studio = Client(server)
        await studio.post()
        studio.token = None
        for method in ("GET", "HEAD"):
            assert (await studio.send(method, WHIP))[0].status == 204
            response, text = await studio.send(method, WHEP)
            assert (response.status, response.content_type, text) == (200, SDP, "")
        for path in (WHIP, WHEP, studio.resource):
            assert (await studio.send("PUT", path, "x", SDP))[0].status == 405
        for path, name, value in ((WHIP, "Accept-Post", SDP), (studio.resource, "Accept-Patch", FRAGMENT)):
            for origin, allowed in (("https://studio.example", True), ("https://evil.example", False)):
                response, _ = await studio.send("OPTIONS", path, Origin=origin)
                assert (response.status, response.headers[name]) == (200, value)
                assert ("Access-Control-Allow-Origin" in response.headers) is allowed
                exposed = response.headers.get("Access-Control-Expose-Headers", "")
                assert ("Link" in exposed and "Location" in exposed) is allowed


async def test_who_may_not_is_told_why(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        studio = Client(server)
        studio.token = None
        response, _ = await studio.post()
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        studio.token = "forged"
        response, _ = await studio.post()
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
        refused = (
            Client(server, room="lobby"),
            Client(server, can_publish=False),
            Client(server, WHEP, can_subscribe=False),
        )
        for client in refused:
            response, text = await client.post()
            assert (response.status, response.content_type) == (403, "application/problem+json")
            assert '"code":"forbidden"' in text
        assert len(server.app[GATEWAY].conversation.sessions) == 0


async def test_a_resource_is_its_openers(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        studio, eve, again = Client(server), Client(server, identity="eve"), Client(server)
        await studio.post()
        eve.resource = again.resource = studio.resource
        assert (await eve.send("DELETE", studio.resource))[0].status == 403
        assert (await eve.patch(RESTART, If_Match="*"))[0].status == 403
        eve.token = None
        assert (await eve.send("DELETE", studio.resource))[0].status == 401
        assert (await again.patch(If_Match="*"))[0].status == 204, "another good token of the same person"


@pytest.mark.parametrize(
    ("offer", "kind", "status", "code"),
    [
        ("nonsense", SDP, 400, "bad_sdp"),
        ("v=0\r\n", SDP, 400, "no_audio"),
        (one_line(direction="recvonly"), SDP, 400, "bad_sdp"),
        (one_line().replace("opus", "speex"), SDP, 400, "no_codec"),
        (one_line(), "application/json", 415, "unsupported_media_type"),
        ("v=0\r\n" + "a=x\r\n" * 14_000, SDP, 413, "too_large"),
        (one_line(*["a=" + "x" * 120] * 520), SDP, 413, "too_large"),
    ],
)
async def test_what_cannot_be_answered_leaves_nothing(
    tmp_path: Path, offer: str, kind: str, status: int, code: str
) -> None:
    async with served(tmp_path) as server:
        response, text = await Client(server).post(offer, kind)
        assert (response.status, f'"code":"{code}"' in text) == (status, True)
        conversation = server.app[GATEWAY].conversation
        assert (conversation.sessions, conversation.rooms.population) == ({}, 0)


async def test_who_fails_half_way_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as server:
        ana = enter(server, "ana")
        monkeypatch.setattr(server.media, "answer", lambda *_: 1 / 0)
        response, _ = await Client(server).post()
        assert response.status == 500
        server.app[GATEWAY].advance(server.app[CLOCK].now())
        assert len(server.app[GATEWAY].conversation.sessions) == 1
        assert [one["reason"] for one in seen(ana, "participant-left")] == ["join_failure"]


async def test_it_is_a_participant_like_any_other(tmp_path: Path) -> None:
    async with served(tmp_path, duplicate_identity="reject_new", max_participants=2) as server:
        owner, studio = enter(server, "ana", role="owner"), Client(server)
        await studio.post()
        assert (await Client(server).post())[0].status == 409, "the same identity"
        assert (await Client(server, identity="ben").post())[0].status == 409, "the room is full"
        person = seen(owner, "participant-joined")[0]["participant"]["id"]
        kick = {"type": "moderate", "payload": {"action": "kick", "target": person}}
        receive(server.app[GATEWAY].conversation, owner, json.dumps(kick), server.app[CLOCK].now())
        assert (await studio.patch(If_Match="*"))[0].status == 404
        response, text = await studio.post()
        assert (response.status, '"code":"token_invalid"' in text) == (401, True), "a kicked token is good for nothing"


async def test_who_is_moved_keeps_the_resource(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        operator, studio = person(server, "op", role="operator"), Client(server)
        await studio.post()
        order = {"action": "move", "identity": "studio", "room": "attic"}
        assert await operator.status("POST", "/api/v1/rooms/den/moderation", order) == 200
        server.app[GATEWAY].advance(server.app[CLOCK].now())
        assert (await studio.patch(RESTART, If_Match="*"))[0].status == 200
        conversation = server.app[GATEWAY].conversation
        assert [room.id for room in conversation.rooms] == ["attic"]
        assert (await studio.send("DELETE", studio.resource))[0].status == 200
        assert conversation.rooms.population == 0


async def test_a_room_with_a_password_wants_a_token_that_is_invited(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        owner = person(server, "ana", room_create=True)
        assert await owner.status("POST", "/api/v1/rooms", {"name": "Den", "id": "den", "password": "s3cret"}) == 201
        studio, utc = Client(server), server.app[CLOCK].utc()
        response, text = await studio.post()
        assert (response.status, '"code":"password_required"' in text) == (403, True)
        assert server.app[GATEWAY].conversation.rooms.population == 0
        order = TokenOrder(identity="studio", grants=Grants.for_room("den"), lifetime=timedelta(hours=1), invited=True)
        studio.token = server.app[TOKENS].issue_order(order, utc)
        assert (await studio.post())[0].status == 201


async def test_it_ends_with_its_media(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        ana, studio, gateway = enter(server, "ana"), Client(server), server.app[GATEWAY]
        await studio.post()
        person = seen(ana, "participant-joined")[0]["participant"]["id"]
        gateway.observer.media_gone(person, "consent_expired")
        gateway.advance(server.app[CLOCK].now())
        assert seen(ana, "participant-left")[-1]["reason"] == "media_failure"
        assert (await studio.send("DELETE", studio.resource))[0].status == 404


async def test_rfc_9725_section_4_5_under_high_load_nobody_is_taken_and_told_when_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        studio = Client(server)
        await studio.post()
        server.media.lag = 5.0
        response, text = await Client(server, identity="ben").post()
        assert (response.status, '"code":"overloaded"' in text, "Retry-After" in response.headers) == (503, True, True)
        assert (await studio.patch(RESTART, If_Match="*"))[0].status == 200, "who is there stays"


async def test_the_server_takes_nobody_when_it_goes_down(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        studio = Client(server)
        await studio.post()
        await server.app[GATEWAY].close()
        assert (await Client(server, identity="ben").post())[0].status == 503


def test_every_route_names_errors_that_there_are() -> None:
    assert len(module.ROUTES) == 18
    assert {code for row in module.ROUTES for code in row.errors} <= ERRORS.keys()
