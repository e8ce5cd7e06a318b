from datetime import datetime, timedelta
from typing import Any

import pytest

from signaling.identity.claims import Claims, read_claims
from signaling.identity.deny_list import Ban, DenyList, MemoryDenyList
from signaling.identity.tokens import Tokens
from tests.signaling.identity.forging import AT, NOW, SECRET
from tests.signaling.identity.forging import claims as payload

HOUR = timedelta(hours=1)


def claims(room: str | None = "lobby", **said: Any) -> Claims:
    return read_claims(payload(video={"room": room, "roomJoin": True}, **said), "sha256:x", NOW, 10.0)


def ban(**changes: Any) -> Ban:
    return Ban(**{"identity": "ana", "room": "lobby", "since": NOW, "by_role": "moderator", **changes})


def test_a_withdrawn_token_admits_nobody_until_it_would_have_expired_anyway() -> None:
    denied: DenyList = MemoryDenyList()
    token = claims(jti="t1")
    assert denied.denial(token, NOW) is None
    denied.withdraw(token, NOW)
    for seconds in (0, 600, 660):
        found = denied.denial(token, NOW + timedelta(seconds=seconds - 1))
        assert found is not None
        assert found.ban is None
    assert denied.denial(token, NOW + timedelta(seconds=660)) is None
    assert denied.denial(claims(jti="t2"), NOW) is None


def test_a_token_without_jti_can_be_withdrawn_too() -> None:
    denied = MemoryDenyList()
    denied.withdraw(claims(), NOW)
    assert denied.denial(claims(), NOW)


@pytest.mark.parametrize("which", ["first", "middle", "last"])
def test_a_chain_of_refreshed_tokens_is_withdrawn_as_a_whole(which: str) -> None:
    tokens = Tokens(SECRET)
    first = claims(jti="t1", exp=AT + 12 * 3600)
    middle = tokens.verify(tokens.refresh(first, NOW), NOW)
    last = tokens.verify(tokens.refresh(middle, NOW), NOW)
    chain = {"first": first, "middle": middle, "last": last}
    denied = MemoryDenyList()
    denied.withdraw(chain[which], NOW)
    assert all(denied.denial(one, NOW) for one in chain.values())
    assert denied.denial(first, NOW + 11 * HOUR)
    assert denied.denial(first, NOW + 13 * HOUR) is None


def test_a_token_that_never_ends_stays_withdrawn() -> None:
    denied = MemoryDenyList()
    token = claims(jti="t1", exp=2**39)
    denied.withdraw(token, NOW)
    denied.forget_expired(NOW + 1000 * 365 * 24 * HOUR)
    assert denied.denial(token, NOW + 1000 * 365 * 24 * HOUR)


def test_a_ban_keeps_an_identity_out_of_one_room_whatever_its_token() -> None:
    denied = MemoryDenyList()
    denied.ban(ban(reason="noise"))
    found = denied.denial(claims(jti="another"), NOW)
    assert found is not None
    assert found.ban is not None
    assert found.ban.reason == "noise"
    assert denied.denial(claims("other"), NOW) is None
    assert denied.denial(claims(None), NOW) is None
    assert denied.denial(claims(sub="ben"), NOW) is None


def test_a_ban_from_the_whole_server_holds_in_every_room() -> None:
    denied = MemoryDenyList()
    denied.ban(ban(room=None))
    for room in ("lobby", "other", None):
        assert denied.denial(claims(room), NOW)
    assert denied.find_ban("ana", "lobby", NOW) is None


def test_a_ban_ends_by_itself_or_never() -> None:
    denied = MemoryDenyList()
    denied.ban(ban(until=NOW + HOUR))
    denied.ban(ban(identity="ben"))
    assert denied.denial(claims(), NOW + HOUR - timedelta(seconds=1))
    assert denied.denial(claims(), NOW + HOUR) is None
    assert denied.denial(claims(sub="ben"), NOW + 100_000 * HOUR)
    assert len(denied) == 2
    denied.forget_expired(NOW + HOUR)
    assert len(denied) == 1


def test_a_later_ban_replaces_the_earlier() -> None:
    denied = MemoryDenyList()
    denied.ban(ban(until=NOW + HOUR))
    denied.ban(ban())
    denied.forget_expired(NOW + 2 * HOUR)
    assert denied.find_ban("ana", "lobby", NOW + 2 * HOUR)
    denied.ban(ban(until=NOW + HOUR))
    assert denied.find_ban("ana", "lobby", NOW + 2 * HOUR) is None
    denied.forget_expired(NOW + 2 * HOUR)
    assert len(denied) == 0


def test_a_ban_can_be_lifted_once() -> None:
    denied = MemoryDenyList()
    denied.ban(ban())
    assert [denied.unban("ana", None), denied.unban("ana", "lobby"), denied.unban("ana", "lobby")] == [
        False,
        True,
        False,
    ]
    assert denied.denial(claims(), NOW) is None


def test_lifting_a_ban_does_not_bring_a_withdrawn_token_back() -> None:
    denied = MemoryDenyList()
    denied.withdraw(claims(jti="t1"), NOW)
    denied.ban(ban())
    denied.unban("ana", "lobby")
    assert denied.denial(claims(jti="t1"), NOW)
    assert denied.denial(claims(jti="t2"), NOW) is None


@pytest.mark.parametrize(("identity", "room"), [("t1", None), ("ana", "lobby"), ("a", "b")])
def test_names_never_stand_for_one_another(identity: str, room: str | None) -> None:
    denied = MemoryDenyList()
    denied.ban(ban(identity=identity, room=room))
    assert denied.denial(claims("x", sub="ben", jti="t1"), NOW) is None
    assert denied.denial(claims("lobby", sub="lobby", jti="ana"), NOW) is None


def test_it_is_bounded_and_lets_go_of_what_ends_first() -> None:
    denied = MemoryDenyList(most_entries=3)
    for number in range(5):
        denied.ban(ban(identity=f"i{number}", until=NOW + (number + 1) * HOUR))
    assert (len(denied), denied.forced_out) == (3, 2)
    assert [bool(denied.find_ban(f"i{number}", "lobby", NOW)) for number in range(5)] == [False] * 2 + [True] * 3


def test_what_is_set_again_and_again_takes_no_more_room() -> None:
    denied = MemoryDenyList(most_entries=10)
    for number in range(1000):
        denied.ban(ban(until=NOW + timedelta(seconds=number + 1)))
        denied.unban("ana", "lobby")
    assert (len(denied), denied.forced_out) == (0, 0)
    assert len(denied._order) <= 21


def test_no_time_is_read_here() -> None:
    assert isinstance(ban().since, datetime)


def test_the_bans_of_a_room_go_with_it() -> None:
    denied = MemoryDenyList()
    for one in (ban(), ban(room="hall"), ban(room=None), ban(identity="ben")):
        denied.ban(one)
    denied.withdraw(claims(jti="lobby"), NOW)
    before = len(denied)
    denied.forget_room("lobby")
    assert len(denied) == before - 2
    assert denied.find_ban("ana", "lobby", NOW) is None
    assert denied.find_ban("ana", "hall", NOW) is not None
    assert denied.find_ban("ana", None, NOW) is not None
