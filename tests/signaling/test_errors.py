import pytest

from signaling.errors import (
    ERRORS,
    BadSettings,
    ClientMistake,
    ClosingMistake,
    OurMistake,
    PortTaken,
    Refusal,
    WeakSecret,
    code_for_media,
)


def test_every_row_has_a_status_and_a_sentence() -> None:
    """RFC 9110 section 15: 4xx where the client is wrong, 5xx where we are."""
    for row in ERRORS.values():
        assert 400 <= row.status <= 599
        assert row.sentence.endswith(".")


def test_rfc_6455_section_7_4_close_codes_are_ours_or_registered_and_never_shared() -> None:
    codes = [row.close_code for row in ERRORS.values() if row.close_code is not None]
    assert len(codes) == len(set(codes))
    assert all(code in (1001, 1008, 1009, 1013) or 4000 <= code <= 4999 for code in codes)


def test_an_error_says_its_sentence_unless_it_knows_better() -> None:
    assert ClientMistake("forbidden").message == ERRORS["forbidden"].sentence
    assert ClientMistake("forbidden", "not you").message == "not you"
    assert ClosingMistake("internal").row.close_code == 4500
    assert OurMistake("a fault").code == "internal"
    assert isinstance(WeakSecret("short"), OurMistake)


def test_a_code_that_is_not_in_the_table_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        ClientMistake("no_such_code")


def test_codes_of_the_offer_parser_are_mapped() -> None:
    assert code_for_media("no_audio") == "no_audio"
    assert code_for_media("bad_fingerprint") == "bad_sdp"


def test_a_refusal_has_three_parts_and_an_exit_code():
    refusal = Refusal("it broke", "because", "do this")
    assert refusal.as_json() == {"error": "it broke", "why": "because", "remedy": "do this"}
    assert str(refusal) == "it broke: because"
    assert refusal.exit_code == 1


def test_settings_are_the_commands_fault_and_ports_the_machines():
    assert BadSettings("a", "b", "c").exit_code == 2
    assert PortTaken("a", "b", "c").exit_code == 1
