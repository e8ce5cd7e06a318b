from inspect import signature
from typing import get_args
from unittest.mock import Mock, call

import pytest
from structlog.testing import capture_logs

from sfu.connections import Connections
from sfu.observation import Observation
from sfu.observer import SlotAssignment, Speaker
from sfu.participants import Participants
from sfu.sdp import parse_candidate
from signaling.call import media
from signaling.call.chronicle import SilentChronicle
from signaling.call.media import PRESETS, MediaWatch, audio_view
from signaling.call.rooms import RoomPolicy
from signaling.call.state import MediaConnections, MediaObservation, MediaParticipants, Records
from signaling.storage.words import QualityPreset
from tests.signaling.fakes import FakeMedia, FakeServer, pid

PARTS = {
    MediaParticipants: Participants,
    MediaConnections: Connections,
    MediaObservation: Observation,
}
ASKED = [(port, name) for port in PARTS for name in vars(port) if not name.startswith("_")]


@pytest.mark.parametrize(("port", "name"), ASKED)
def test_the_media_server_and_its_stand_in_have_what_is_asked_of_them(port: type, name: str) -> None:
    asked = list(signature(getattr(port, name)).parameters)
    for server in (PARTS[port], FakeMedia):
        assert list(signature(getattr(server, name)).parameters) == asked


def test_every_preset_that_a_room_may_have_is_there() -> None:
    assert PRESETS.keys() == set(get_args(QualityPreset))


def test_more_quality_takes_more_bits_and_only_speech_has_fec() -> None:
    rates = [PRESETS[name].bitrate or 0 for name in ("low", "standard", "high", "music")]
    assert rates == sorted(set(rates))
    assert [name for name, wishes in PRESETS.items() if not wishes.fec] == ["music"]


def test_a_client_is_told_all_of_it() -> None:
    assert audio_view("low") == {
        "preset": "low",
        "bitrate": 16_000,
        "ptime": 40,
        "dtx": True,
        "fec": True,
        "stereo": False,
    }


def test_an_offer_is_answered() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "offer", {"sdp": "v=0\r\n"})
    assert ana.take("answer") == {"sdp": f"answer to {pid(ana)}"}


@pytest.mark.parametrize(
    ("sdp", "code", "reason"), [("x", "bad_sdp", "duplicate_mid"), ("pcmu", "no_codec", "no_codec")]
)
def test_a_bad_offer_is_refused_and_the_session_goes_on(sdp: str, code: str, reason: str) -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "offer", {"sdp": sdp})
    assert ana.take("error") == {"code": code, "message": "not an offer", "details": {"reason": reason}}
    assert ana.closed is None


def test_a_candidate_is_kept_and_that_there_are_no_more_is_heard() -> None:
    """RFC 8838; the fields are those of the W3C's RTCIceCandidateInit, all four of which browsers send."""
    server = FakeServer()
    (ana,) = server.people("ana")
    text = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    fields = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "c7Kd"}
    server.say(ana, "ice-candidate", fields)
    assert ana.take("ok") == {}
    server.say(ana, "ice-candidate", fields | {"candidate": ""})
    assert ana.take("ok") == {}
    assert server.media.candidates == [(pid(ana), parse_candidate(text))]


def test_a_bad_candidate_is_refused_and_the_session_goes_on() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "ice-candidate", {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ hast"})
    assert ana.take("error")["code"] == "bad_sdp"
    assert ana.closed is None


def test_the_encoder_is_asked_for_what_the_room_wants() -> None:
    """RFC 7587 section 6.1; a change reaches who is there with their next offer."""
    server = FakeServer()
    (ana,) = server.people("ana")
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    server.say(ana, "offer", {"sdp": "v=0"})
    assert server.media.wishes[pid(ana)] == PRESETS["standard"]
    room.policy = RoomPolicy(version=1, quality_preset="music")
    server.say(ana, "offer", {"sdp": "v=0"})
    assert server.media.wishes[pid(ana)] == PRESETS["music"]


def test_media_makes_a_participant_active_and_its_end_reconnecting() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    for _ in range(2):
        media.connected(server.conversation, pid(ana), "host", server.now)
    for line in (ana, ben):
        assert line.take("participant-updated")["participant"]["state"] == "active"
    media.gone(server.conversation, pid(ana), "consent_expired", server.now)
    assert ana.types == ["endpoint-gone", "participant-updated"]
    assert ana.frames[0]["payload"] == {"reason": "consent_expired"}
    assert ben.take("participant-updated")["participant"]["state"] == "reconnecting"


def test_media_that_fails_before_it_stood_changes_no_state() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    media.gone(server.conversation, pid(ana), "dtls_timeout", server.now)
    assert ana.types == ["endpoint-gone"]
    assert ben.frames == []


def test_media_keeps_a_seat_whose_line_is_lost() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    media.connected(server.conversation, who, "srflx", server.now)
    server.conversation.lost(ana, server.now)
    ben.take()
    server.tick(400)
    media.gone(server.conversation, who, "consent_expired", server.now)
    server.tick(59)
    assert ben.frames == []
    server.tick(1)
    assert ben.types == ["participant-left"]


def test_slots_and_arrival_go_to_one_and_speakers_to_all() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    media.slots_changed(server.conversation, pid(ana), [SlotAssignment("1", pid(ben)), SlotAssignment("2", None, 0.5)])
    media.arrives(server.conversation, pid(ana), True)
    assert [frame["payload"] for frame in ana.take()] == [
        {"slots": [{"mid": "1", "participant": pid(ben), "gain": 1.0}, {"mid": "2", "participant": None, "gain": 0.5}]},
        {"arriving": True},
    ]
    media.speakers_changed(server.conversation, "lobby", [Speaker(pid(ana), 0.123456)])
    for line in (ana, ben):
        assert line.take("speakers") == {"speakers": [{"participant": pid(ana), "level": 0.1235}]}


def test_peer_connections_are_written_down() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    book = Mock(spec=SilentChronicle)
    server.conversation.records = Records(chronicle=book)
    who = pid(ana)
    media.connection_began(server.conversation, who)
    media.connected(server.conversation, who, "srflx", server.now)
    media.connection_ended(server.conversation, who, "flood", (1, 2))
    assert book.mock_calls == [
        call.media_began(who, server.utc()),
        call.media_connected(who, "srflx", server.utc()),
        call.media_ended(who, "flood", (1, 2), server.utc()),
    ]


def test_who_floods_is_told() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    media.flooding(server.conversation, pid(ana))
    assert ana.take("error")["code"] == "rate_limited"
    assert ana.closed is None


def test_news_of_those_who_have_left_is_passed_over() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    media.connected(server.conversation, "gone", "host", server.now)
    media.gone(server.conversation, "gone", "flood", server.now)
    media.arrives(server.conversation, "gone", True)
    media.slots_changed(server.conversation, "gone", [])
    media.speakers_changed(server.conversation, "gone", [])
    media.flooding(server.conversation, "gone")
    assert ana.frames == []


def test_each_event_reaches_those_concerned() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    watch = MediaWatch(lambda: server.conversation, lambda: server.now)
    watch.connection_began(pid(ana))
    watch.media_connected(pid(ana), None)
    watch.media_arriving(pid(ana), True)
    watch.slots_changed(pid(ana), [SlotAssignment("1", None)])
    watch.speakers_changed("lobby", [Speaker(pid(ana), 1.0)])
    watch.flooding(pid(ana))
    watch.connection_ended(pid(ana), "flood", (1, 2))
    watch.media_gone(pid(ana), "flood")
    assert ana.types == [
        "participant-updated",
        "media",
        "slots",
        "speakers",
        "error",
        "endpoint-gone",
        "participant-updated",
    ]


def test_an_observer_never_raises_and_says_what_went_wrong() -> None:
    def nothing() -> object:
        raise RuntimeError("not yet")

    with capture_logs() as lines:
        MediaWatch(nothing, lambda: 0.0).media_connected("somebody", None)  # type: ignore[arg-type]
    assert [(line["event"], line["media_event"]) for line in lines] == [("media_event_failed", "connected")]
