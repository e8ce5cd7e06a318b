import pytest

from signaling.errors import ClientMistake, OurMistake
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.states import EVENTS, PARTICIPANT, SESSION, mermaid, step_participant, step_session

ALL_EVENTS = sorted(CLIENT_MESSAGES.keys() | EVENTS)
ABSENT = [(state, event) for state in SESSION for event in ALL_EVENTS if event not in SESSION[state]]
HAPPENINGS = sorted({event for row in PARTICIPANT.values() for event in row})


@pytest.mark.parametrize(("state", "event"), ABSENT)
def test_what_the_table_does_not_have_is_refused(state: str, event: str) -> None:
    with pytest.raises(ClientMistake) as caught:
        step_session(state, event)
    assert caught.value.code == "unexpected_message"


def test_every_pair_of_the_table_leads_to_a_state_of_the_table() -> None:
    for table in (SESSION, PARTICIPANT):
        for state, row in table.items():
            for event, target in row.items():
                step = step_session if table is SESSION else step_participant
                assert step(state, event) == target
                assert target in table


def test_every_message_is_allowed_somewhere() -> None:
    assert {event for row in SESSION.values() for event in row} == set(ALL_EVENTS)


@pytest.mark.parametrize(
    ("state", "event"), [(s, e) for s in PARTICIPANT for e in HAPPENINGS if e not in PARTICIPANT[s]]
)
def test_a_participant_that_could_not_have_come_there_is_our_mistake(state: str, event: str) -> None:
    with pytest.raises(OurMistake):
        step_participant(state, event)


def test_the_diagram_has_every_state_and_event() -> None:
    drawn = mermaid(SESSION)
    assert drawn.startswith("stateDiagram-v2\n    [*] --> opened\n")
    assert "    closed --> [*]" in drawn
    assert all(event in drawn for event in ALL_EVENTS)
