import pytest

from sfu.sdp import parse_candidate
from signaling.call.quality_presets import PRESETS
from signaling.call.room_policy import RoomPolicy
from tests.signaling.fakes import House, pid


def test_an_offer_is_answered() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "offer", {"sdp": "v=0\r\n"})
    assert ana.take("answer") == {"sdp": f"answer to {pid(ana)}"}


@pytest.mark.parametrize(
    ("sdp", "code", "reason"), [("x", "bad_sdp", "duplicate_mid"), ("pcmu", "no_codec", "no_codec")]
)
def test_a_bad_offer_is_refused_and_the_session_goes_on(sdp: str, code: str, reason: str) -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "offer", {"sdp": sdp})
    assert ana.take("error") == {"code": code, "message": "not an offer", "details": {"reason": reason}}
    assert ana.closed is None


def test_a_candidate_is_kept_and_that_there_are_no_more_is_heard() -> None:
    """RFC 8838; the fields are those of the W3C's RTCIceCandidateInit, all four of which browsers send."""
    house = House()
    (ana,) = house.people("ana")
    text = "candidate:1 1 udp 1 192.0.2.1 9 typ host"
    fields = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "c7Kd"}
    house.say(ana, "ice-candidate", fields)
    assert ana.take("ok") == {}
    house.say(ana, "ice-candidate", fields | {"candidate": ""})
    assert ana.take("ok") == {}
    assert house.media.candidates == [(pid(ana), parse_candidate(text))]


def test_a_bad_candidate_is_refused_and_the_session_goes_on() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "ice-candidate", {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ hast"})
    assert ana.take("error")["code"] == "bad_sdp"
    assert ana.closed is None


def test_the_encoder_is_asked_for_what_the_room_wants() -> None:
    """RFC 7587 section 6.1; a change reaches who is there with their next offer."""
    house = House()
    (ana,) = house.people("ana")
    room = house.talk.rooms.find("lobby")
    assert room is not None
    house.say(ana, "offer", {"sdp": "v=0"})
    assert house.media.wishes[pid(ana)] == PRESETS["standard"]
    room.policy = RoomPolicy(version=1, quality_preset="music")
    house.say(ana, "offer", {"sdp": "v=0"})
    assert house.media.wishes[pid(ana)] == PRESETS["music"]
