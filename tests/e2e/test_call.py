"""Three people in real Chromium: who hears whom, judged on the audio that each browser decoded."""

import time

import jwt
import pytest

from tests.e2e.conftest import LOOPBACK, People
from tests.support.server import ServerProcess

pytestmark = pytest.mark.whole_browser


def moderator_token(room: str) -> str:
    """As any tool makes one that knows the secret and LiveKit's names for grants."""
    grants = {"room": room, "roomJoin": True, "roomAdmin": True}
    claims = {"sub": "moderator", "name": "Ana", "exp": int(time.time()) + 600, "video": grants}
    return jwt.encode(claims, LOOPBACK["PARLEY_JWT_SECRET"], algorithm="HS256")


def test_each_of_three_hears_the_two_others_and_not_itself(server: ServerProcess, people: People) -> None:
    everybody = people("Ana", "Ben", "Chidi")
    for person in everybody:
        person.join(server.url, "three")
    for person in everybody:
        person.hears(*(other for other in everybody if other is not person))
    for person in everybody:
        person.hears_no_longer(person)
        assert person.has_heard(person) == 0
        assert person.events("error") == []


def test_who_mutes_is_not_heard_and_who_unmutes_is(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "mute") for person in people("Ana", "Ben"))
    ben.hears(ana)
    ana.call("client.mute()")
    ben.hears_no_longer(ana)
    ben.until("client.participants.get(given).self_mute", ana.id)
    ana.hears(ben)
    ana.call("client.unmute()")
    ben.hears(ana)
    ben.until("!client.participants.get(given).self_mute", ana.id)


def test_the_server_holds_back_a_muted_person_whose_microphone_still_sends(
    server: ServerProcess, people: People
) -> None:
    ana, ben = (person.join(server.url, "enforced") for person in people("Ana", "Ben"))
    ben.hears(ana)
    ana.call("client.signaling.request('mute')")
    assert ana.call("client.microphone.track.enabled")
    ben.hears_no_longer(ana)
    ana.call("client.signaling.request('unmute')")
    ben.hears(ana)


def test_a_moderator_mutes_and_deafens(server: ServerProcess, people: People) -> None:
    ana, ben, chidi = people("Ana", "Ben", "Chidi")
    ana.join(server.url, "moderated", token=moderator_token("moderated"))
    ben.join(server.url, "moderated")
    chidi.join(server.url, "moderated")
    chidi.hears(ana, ben)

    ana.call("id => client.moderate('mute', id, 'too loud')", ben.id)
    chidi.hears_no_longer(ben)
    chidi.hears(ana)
    ben.until("client.me.mute")
    assert [(one["action"], one["by"], one["reason"]) for one in ben.events("moderated")] == [
        ("mute", ana.id, "too loud")
    ]
    ben.call("client.unmute()")
    chidi.hears_no_longer(ben)

    ana.call("id => client.moderate('unmute', id)", ben.id)
    chidi.hears(ben)
    ana.call("id => client.moderate('deafen', id)", ben.id)
    ben.hears_no_longer(ana, chidi)
    chidi.hears(ben)
    refused = ben.call("id => client.moderate('mute', id).catch((error) => error.code)", ana.id)
    assert refused == "forbidden"


def test_who_is_thrown_out_is_not_heard_and_stays_out(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "kicked", token=moderator_token("kicked"))
    ben.join(server.url, "kicked")
    ana.hears(ben)
    ana.call("id => client.moderate('kick', id, 'enough')", ben.id)
    ben.until("client.state === 'disconnected'")
    assert [one["action"] for one in ben.events("moderated")] == ["kick"]
    ana.hears_no_longer(ben)
    assert ana.call("client.participants.size") == 1
    assert ben.call("client.state") == "disconnected"


def test_who_is_deafened_hears_nobody_and_is_heard(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "deaf") for person in people("Ana", "Ben"))
    ana.hears(ben)
    ana.call("client.deafen()")
    ana.hears_no_longer(ben)
    ben.hears(ana)
    ana.call("client.undeafen()")
    ana.hears(ben)


def test_who_has_left_is_not_heard_and_may_come_back(server: ServerProcess, people: People) -> None:
    ana, ben, chidi = (person.join(server.url, "leaving") for person in people("Ana", "Ben", "Chidi"))
    chidi.hears(ana, ben)
    ben.call("client.leave()")
    chidi.hears_no_longer(ben)
    chidi.until("!client.participants.has(given)", ben.id)
    chidi.hears(ana)
    assert [one["participant"] for one in chidi.events("participant-left")] == [ben.id]
    ben.join(server.url, "leaving")
    chidi.hears(ana, ben)
    ben.hears(ana, chidi)


def test_a_microphone_that_is_released_or_exchanged_is_heard_again(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "devices") for person in people("Ana", "Ben"))
    ben.hears(ana)
    ana.call("client.setMicrophone(false, { release: true })")
    assert ana.call("client.microphone.track") is None
    ben.hears_no_longer(ana)
    ana.hears(ben)
    ana.call("client.setMicrophone(true)")
    ben.hears(ana)
    ana.call("client.setAudio({ channelCount: 1 })")
    ben.hears(ana)
    assert ben.has_heard(ben) == 0


def test_a_client_that_trickles_its_candidates_is_heard(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "trickle", trickle=True)
    ben.join(server.url, "trickle")
    ana.hears(ben)
    ben.hears(ana)
    assert ana.events("error") == []
