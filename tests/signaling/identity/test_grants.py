import pytest
from pydantic import ValidationError

from signaling.identity.grants import Grants


def test_names_are_livekits() -> None:
    grants = Grants.model_validate({"room": "r", "roomJoin": True, "canPublishData": False, "hidden": True})
    assert (grants.room, grants.room_join, grants.can_publish_data, grants.hidden) == ("r", True, False, True)


def test_unknown_grants_are_ignored_and_known_ones_have_exact_types() -> None:
    assert Grants.model_validate({"ingressAdmin": "whatever"}) == Grants()
    for wrong in ({"roomJoin": 1}, {"roomJoin": "true"}, {"room": 5}, {"canPublish": None}):
        with pytest.raises(ValidationError):
            Grants.model_validate(wrong)


def test_a_claim_says_only_what_is_not_so_by_itself() -> None:
    assert Grants.for_room("r").as_claim() == {"room": "r", "roomJoin": True}
    assert Grants.for_room("r", admin=True).as_claim() == {"room": "r", "roomJoin": True, "roomAdmin": True}


@pytest.mark.parametrize(
    ("sources", "heard"),
    [(None, True), ([], True), (["microphone"], True), (["camera", "microphone"], True), (["camera"], False)],
)
def test_who_may_publish_other_sources_only_is_not_heard(sources: list[str] | None, heard: bool) -> None:
    grants = Grants.model_validate({"room": "r", "canPublish": True, "canPublishSources": sources})
    assert grants.can_publish is heard
    assert Grants.model_validate(grants.as_claim()) == grants


def test_sources_are_a_list() -> None:
    with pytest.raises(ValidationError):
        Grants.model_validate({"canPublishSources": "microphone"})
