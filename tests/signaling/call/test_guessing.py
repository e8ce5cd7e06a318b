import pytest

from signaling.call.guessing import guessing
from signaling.errors import ClientMistake
from tests.signaling.fakes import House


def look(code):
    """What looks at the secret: it is no good where there is a code."""
    if code is not None:
        raise ClientMistake(code)


def tried(house, code, address="192.0.2.1"):
    """What becomes of one try that ends with this code, None for a good one."""
    try:
        with guessing(house.talk, address, lambda: house.now, "invite_invalid"):
            look(code)
    except ClientMistake as mistake:
        return mistake.code
    return None


def test_who_tries_wrong_secrets_has_to_wait():
    house = House()
    assert [tried(house, "invite_invalid") for _ in range(12)] == ["invite_invalid"] * 10 + ["rate_limited"] * 2
    assert tried(house, None) == "rate_limited", "nothing is looked at any more"
    assert tried(house, None, "192.0.2.2") is None
    house.now += 60
    assert tried(house, None) is None


@pytest.mark.parametrize("code", [None, "banned", "storage_unavailable"])
def test_only_wrong_ones_are_counted(code):
    house = House()
    assert {tried(house, code) for _ in range(20)} == {code}


def test_addresses_of_one_network_are_counted_together():
    house = House()
    codes = [tried(house, "invite_invalid", f"2001:db8::{number:x}") for number in range(11)]
    assert codes[-1] == "rate_limited"
