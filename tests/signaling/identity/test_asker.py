from signaling.identity.asker import Asker
from signaling.identity.permissions import Service
from tests.signaling.identity.test_permissions import claims


def test_a_person_is_named_by_identity_and_a_service_by_the_prefix_of_its_key() -> None:
    person = Asker(holder=claims("owner"), address="192.0.2.1")
    service = Asker(holder=Service(frozenset({"*"}), None, "abc"), address="192.0.2.1")
    assert (person.identity, person.role) == ("ana", "owner")
    assert (service.identity, service.role) == ("apikey:abc", "service")


def test_a_person_who_is_called_like_a_service_is_counted_apart() -> None:
    from dataclasses import replace

    person = Asker(holder=replace(claims(), identity="apikey:abc"), address="")
    service = Asker(holder=Service(frozenset(), None, "abc"), address="")
    assert person.identity == service.identity
    assert person.counted_by != service.counted_by
