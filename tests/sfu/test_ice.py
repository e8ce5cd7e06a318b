"""The ICE-lite end: the table of its docstring, consent, restarts and what must change nothing (RFC 8445, RFC 7675)."""

import itertools
from typing import Any

import pytest
from aioice import stun as codec
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.ice import (
    CONSENT,
    MAX_BOUND,
    MAX_TRANSACTIONS,
    NOTHING,
    SILENCE,
    AddressBound,
    CheckResult,
    ConsentExpired,
    CredentialsForgotten,
    IceLite,
    SelectedMoved,
    Source,
    make_credentials,
)
from sfu.offer import IceParameters
from sfu.stun import BindingRequest, parse_request

OURS = IceParameters("ours", "o" * 24)
THEIRS = IceParameters("theirs", "t" * 24)
NEW_OURS = IceParameters("ours2", "p" * 24)
NEW_THEIRS = IceParameters("theirs2", "u" * 24)
A, B, C = (Source(0, ("192.0.2.1", port)) for port in (1, 2, 3))

serial = itertools.count(1)


def check(
    local: IceParameters = OURS,
    *,
    nominate: bool = False,
    password: str | None = None,
    roles: tuple[str, ...] = ("ICE-CONTROLLING",),
) -> BindingRequest:
    message = codec.Message(
        message_method=codec.Method.BINDING,
        message_class=codec.Class.REQUEST,
        transaction_id=next(serial).to_bytes(12, "big"),
        attributes={"USERNAME": f"{local.ufrag}:theirs", "PRIORITY": 1, **dict.fromkeys(roles, 1)},
    )
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity((local.pwd if password is None else password).encode())
    request = parse_request(bytes(message))
    assert request is not None
    return request


def lite() -> IceLite:
    return IceLite(OURS, THEIRS, 0.0)


def bound(*sources: Source, now: float = 0.0) -> IceLite:
    """An end that has had a plain check from each source; the first is selected."""
    ice = lite()
    for source in sources:
        ice.receive(check(), source, now)
    return ice


def state(ice: IceLite) -> tuple[object, ...]:
    return ice.selected, ice.addresses(), ice.usernames(), ice.deadline(), ice.expired


def answered(result: CheckResult) -> Any:
    assert result.response is not None
    return codec.parse_message(result.response)


# -- credentials ----------------------------------------------------------------------------------------------------


def test_credentials_are_long_enough_rfc_8445_section_5_3() -> None:
    made = make_credentials(lambda count: bytes(range(200, 200 + count)))
    assert (len(made.ufrag), len(made.pwd)) == (8, 24)
    assert made == make_credentials(lambda count: bytes(range(200, 200 + count)))
    assert made != make_credentials(bytes)


# -- checks ---------------------------------------------------------------------------------------------------------


def test_a_valid_check_binds_its_source_and_is_answered_rfc_8445_section_7_3() -> None:
    ice = lite()
    result = ice.receive(check(), A, 0.0)
    assert result.events == (AddressBound(A, None), SelectedMoved(A, None))
    response = answered(result)
    assert response.attributes["XOR-MAPPED-ADDRESS"] == A.address
    assert response.check_message_integrity(OURS.pwd.encode())
    assert ice.selected == A
    assert ice.receive(check(), A, 1.0).events == ()


@pytest.mark.parametrize(
    "request_",
    [
        check(NEW_OURS),
        check(IceParameters("theirs", OURS.pwd)),
        check(password="wrong" * 5),
        check(nominate=True, password=""),
    ],
    ids=["wrong ufrag", "the client's ufrag", "bad integrity", "bad integrity, nominated"],
)
def test_what_is_not_authentic_gets_no_answer_and_changes_nothing(request_: BindingRequest) -> None:
    ice = bound(A)
    before = state(ice)
    assert ice.receive(request_, B, 1.0) is NOTHING
    assert state(ice) == before


def test_the_clients_half_of_the_username_is_not_compared_rfc_8445_section_7_3() -> None:
    ice = IceLite(OURS, IceParameters("other", "x" * 24), 0.0)
    assert ice.receive(check(), A, 0.0).response is not None


def test_a_controlled_client_has_a_role_conflict_rfc_8445_section_7_3_1_1() -> None:
    ice = bound(A)
    before = state(ice)
    result = ice.receive(check(roles=("ICE-CONTROLLED",)), B, 1.0)
    response = answered(result)
    assert response.attributes["ERROR-CODE"][0] == 487
    assert response.check_message_integrity(OURS.pwd.encode())
    assert (result.events, state(ice)) == ((), before)


def test_both_roles_at_once_are_a_bad_request_rfc_8489() -> None:
    result = bound(A).receive(check(roles=("ICE-CONTROLLED", "ICE-CONTROLLING")), B, 1.0)
    assert answered(result).attributes["ERROR-CODE"][0] == 400


def test_a_check_without_a_role_passes_as_rfc_5245_clients_send_it() -> None:
    assert lite().receive(check(roles=()), A, 0.0).events


def test_a_replayed_check_from_another_address_is_dropped() -> None:
    ice = bound(A)
    copied = check(nominate=True)
    ice.receive(copied, A, 1.0)
    before = state(ice)
    assert ice.receive(copied, B, 2.0) is NOTHING
    assert state(ice) == before


def test_a_repeated_check_is_answered_and_changes_nothing() -> None:
    ice = bound(A)
    nominated = check(nominate=True)
    ice.receive(nominated, A, 1.0)
    ice.receive(check(nominate=True), B, 2.0)
    before = state(ice)
    result = ice.receive(nominated, A, 20.0)
    assert result.response is not None
    assert (result.events, state(ice)) == ((), before)


def test_only_so_many_transactions_are_remembered() -> None:
    ice = lite()
    first = check()
    ice.receive(first, A, 0.0)
    for _ in range(MAX_TRANSACTIONS):
        ice.receive(check(), A, 1.0)
    assert ice.receive(first, A, 2.0).response is not None
    assert ice.deadline() == 2.0 + CONSENT


# -- selection ------------------------------------------------------------------------------------------------------


def test_use_candidate_moves_at_once_rfc_8445_section_7_3_1_5() -> None:
    ice = bound(A, B)
    assert ice.receive(check(nominate=True), B, 0.1).events == (SelectedMoved(B, A),)
    assert ice.receive(check(nominate=True), C, 0.2).events == (AddressBound(C, None), SelectedMoved(C, B))
    assert ice.receive(check(nominate=True), C, 0.3).events == ()


def test_two_pairs_checked_at_once_do_not_flap() -> None:
    ice = bound(A, B)
    for tick in range(1, 2000):
        now = tick * 0.05
        assert ice.receive(check(), (A, B)[tick % 2], now).events == ()
        assert ice.advance(now) == ()
    assert ice.selected == A


@pytest.mark.parametrize("offset", [0.0, 0.1, 1.0, 2.5, 2.9, 3.1, 4.0, 4.9])
def test_two_pairs_checked_every_5_seconds_do_not_take_turns(offset: float) -> None:
    ice = bound(A, B)
    moves = 0
    arrivals = sorted([(5.0 * i, A) for i in range(1, 50)] + [(5.0 * i + offset, B) for i in range(1, 50)])
    for now, source in arrivals:
        while ice.deadline() <= now:
            moves += len(ice.advance(ice.deadline()))
        moves += len(ice.receive(check(), source, now).events)
    assert moves <= 1


def test_nat_rebinding_while_talking() -> None:
    ice = bound(A)
    for tick in range(100):
        assert ice.heard(A, tick * 0.02) is None
    last = 99 * 0.02
    ice.receive(check(), B, last + 0.5)
    moved = [now for tick in range(200) if ice.heard(B, now := last + 0.5 + tick * 0.02)]
    assert moved == [pytest.approx(last + SILENCE, abs=0.021)]
    assert ice.selected == B
    assert ice.heard(B, last + 10) is None


def test_nat_rebinding_of_a_silent_listener_by_its_next_check() -> None:
    # Firefox and aioice check every 5 s without USE-CANDIDATE; this listener sends nothing else.
    ice = bound(A)
    for now in (5.0, 10.0, 15.0):
        assert ice.receive(check(), A, now).events == ()
    assert ice.receive(check(), B, 20.0).events == (AddressBound(B, None), SelectedMoved(B, A))


def test_an_address_bound_since_takes_over_when_the_time_comes() -> None:
    ice = bound(A)
    ice.heard(A, 1.0)
    ice.receive(check(), B, 2.0)
    ice.receive(check(), C, 2.5)
    assert ice.deadline() == 1.0 + SILENCE
    assert ice.advance(3.9) == ()
    assert ice.advance(ice.deadline()) == (SelectedMoved(C, A),)
    assert ice.deadline() == 2.5 + CONSENT
    assert ice.advance(10.0) == ()


def test_a_deadline_is_never_too_early_for_its_own_work() -> None:
    # 0.1 + 3.0 - 0.1 is not 3.0 in floats: a shell that waits for the deadline must not spin.
    for tenth in range(1, 200):
        ice = bound(A)
        ice.heard(A, tenth / 10)
        ice.receive(check(), B, tenth / 10 + 0.3)
        assert ice.advance(ice.deadline()) == (SelectedMoved(B, A),)


def test_a_living_selected_address_stays() -> None:
    ice = bound(A)
    ice.heard(A, 1.0)
    ice.receive(check(), B, 2.0)
    ice.heard(A, 3.0)
    assert ice.deadline() == 2.0 + CONSENT
    assert ice.advance(20.0) == ()
    assert ice.heard(B, 5.9) is None
    assert ice.selected == A


def test_news_of_the_selected_address_may_come_late() -> None:
    ice = bound(A)
    ice.receive(check(), A, 10.0)
    ice.heard(A, 5.0)
    ice.receive(check(), B, 11.0)
    assert ice.deadline() == 10.0 + SILENCE


def test_a_packet_from_an_unbound_address_is_none_of_ours() -> None:
    ice = bound(A)
    before = state(ice)
    assert ice.heard(B, 20.0) is None
    assert state(ice) == before


def test_the_same_address_on_another_socket_is_another_source() -> None:
    ice = bound(A)
    other = Source(1, A.address)
    assert ice.receive(check(nominate=True), other, 1.0).events == (AddressBound(other, None), SelectedMoved(other, A))


def test_bound_addresses_are_few_and_the_most_silent_goes_but_never_the_selected() -> None:
    ice = bound(A)
    others = [Source(0, ("192.0.2.9", port)) for port in range(1, MAX_BOUND)]
    for tick, source in enumerate(others):
        ice.receive(check(), source, 0.1 + tick / 100)
    ice.heard(others[0], 1.0)
    assert ice.receive(check(), B, 1.1).events == (AddressBound(B, others[1]),)
    assert len(ice.addresses()) == MAX_BOUND
    assert {A, B, others[0]} <= set(ice.addresses())


# -- consent --------------------------------------------------------------------------------------------------------


def test_consent_expires_30_seconds_after_the_last_valid_check_rfc_7675_section_5_1() -> None:
    ice = bound(A)
    ice.receive(check(), A, 10.0)
    ice.heard(A, 39.0)  # media is no consent
    ice.receive(check(password="wrong"), A, 39.0)
    assert ice.deadline() == 40.0
    assert ice.advance(39.9) == ()
    assert ice.advance(40.0) == (ConsentExpired(),)


def test_without_any_check_it_ends_as_well_rfc_7675() -> None:
    ice = lite()
    assert ice.deadline() == CONSENT
    assert ice.advance(1.0) == ()
    assert ice.advance(CONSENT) == (ConsentExpired(),)


def test_after_the_end_nothing_changes_any_more_rfc_7675() -> None:
    ice = bound(A, B)
    ice.advance(CONSENT)
    assert ice.receive(check(nominate=True), B, 31.0) is NOTHING
    assert ice.heard(B, 40.0) is None
    assert ice.advance(50.0) == ()
    assert ice.usernames() == ()
    assert ice.deadline() == float("inf")
    assert ice.selected == A


def test_a_blackout_of_10_seconds_changes_nothing() -> None:
    ice = bound(A)
    assert ice.advance(10.0) == ()
    assert ice.receive(check(), A, 10.0).events == ()
    assert ice.selected == A


# -- restart --------------------------------------------------------------------------------------------------------


def test_old_and_new_are_valid_until_the_first_nominated_check_on_the_new_rfc_8445_section_9() -> None:
    ice = bound(A)
    assert ice.restart(NEW_THEIRS, NEW_OURS, 1.0) == ()
    assert ice.usernames() == ("ours2", "ours")
    assert (ice.local, ice.remote, ice.selected) == (NEW_OURS, NEW_THEIRS, A)
    assert answered(ice.receive(check(OURS), A, 2.0)).check_message_integrity(OURS.pwd.encode())
    assert answered(ice.receive(check(NEW_OURS), B, 3.0)).check_message_integrity(NEW_OURS.pwd.encode())
    assert ice.receive(check(OURS, nominate=True), A, 4.0).events == ()
    assert ice.usernames() == ("ours2", "ours")
    done = ice.receive(check(NEW_OURS, nominate=True), B, 5.0)
    assert done.events == (SelectedMoved(B, A), CredentialsForgotten("ours"))
    assert ice.usernames() == ("ours2",)
    assert ice.receive(check(OURS), A, 6.0) is NOTHING


def test_each_password_goes_with_its_own_fragment() -> None:
    ice = bound(A)
    ice.restart(NEW_THEIRS, NEW_OURS, 1.0)
    assert ice.receive(check(OURS, password=NEW_OURS.pwd), B, 2.0) is NOTHING


def test_of_several_restarts_the_working_and_the_last_stay_valid() -> None:
    ice = bound(A)
    ice.restart(NEW_THEIRS, NEW_OURS, 1.0)
    last = IceParameters("ours3", "q" * 24)
    assert ice.restart(THEIRS, last, 2.0) == (CredentialsForgotten("ours2"),)
    assert ice.usernames() == ("ours3", "ours")


def test_a_restart_gives_new_time_but_none_to_the_dead() -> None:
    ice = bound(A)
    ice.restart(NEW_THEIRS, NEW_OURS, 29.0)
    assert ice.deadline() == 29.0 + CONSENT
    ice.advance(29.0 + CONSENT)
    ice.restart(THEIRS, OURS, 60.0)
    assert ice.usernames() == ()


# -- any order ------------------------------------------------------------------------------------------------------


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["check", "nominate", "heard", "advance", "restart"]), st.integers(0, 11), st.floats(0, 9)
        ),
        max_size=60,
    )
)
@settings(max_examples=100, deadline=None)
def test_whatever_comes_the_selected_address_is_bound_and_the_bounds_hold(steps: list[tuple[str, int, float]]) -> None:
    ice, now = lite(), 0.0
    for kind, number, pause in steps:
        now += pause
        source = Source(0, ("192.0.2.1", number))
        match kind:
            case "check" | "nominate":
                result = ice.receive(check(ice.local, nominate=kind == "nominate"), source, now)
                assert ice.expired == (result is NOTHING)
                assert kind == "check" or ice.expired or ice.selected == source
            case "heard":
                ice.heard(source, now)
            case "advance":
                ice.advance(now)
                assert ice.deadline() > now
            case _:
                ice.restart(THEIRS, IceParameters(f"new{now}", "n" * 24), now)
        assert ice.selected is None or ice.selected in ice.addresses()
        assert len(ice.addresses()) <= MAX_BOUND
        assert len(ice.usernames()) == (0 if ice.expired else min(len(ice.usernames()), 2))
