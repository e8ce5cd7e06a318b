import pytest

from signaling.errors import ClientMistake
from signaling.http import repeats
from signaling.http.repeats import LIFETIME, Kept, Repeats, check_key, fingerprint_of

WHERE = ("person ana", "POST", "/x", "k")
ONE = Kept(201, (("Location", "/x/1"),), b"{}")


def begin(kept: Repeats, body: bytes = b"1", now: float = 0.0, where: tuple[str, ...] = WHERE) -> Kept | None:
    return kept.begin(where, fingerprint_of(body), now)


def code(kept: Repeats, body: bytes = b"1", now: float = 0.0) -> str:
    with pytest.raises(ClientMistake) as caught:
        begin(kept, body, now)
    return caught.value.code


def test_the_same_request_gets_the_same_answer_for_24_hours() -> None:
    kept = Repeats()
    assert begin(kept) is None
    kept.keep(WHERE, ONE)
    assert begin(kept, now=LIFETIME - 1) == ONE
    assert begin(kept, now=LIFETIME) is None
    assert len(kept) == 1


def test_another_request_under_the_same_key_is_refused() -> None:
    kept = Repeats()
    begin(kept)
    assert code(kept, b"2") == "key_reused"
    kept.keep(WHERE, ONE)
    assert code(kept, b"2") == "key_reused"


def test_while_the_first_is_worked_on_the_second_is_told_to_wait() -> None:
    kept = Repeats()
    begin(kept)
    assert code(kept) == "in_progress"


def test_what_failed_may_be_tried_again_also_with_something_else() -> None:
    kept = Repeats()
    begin(kept)
    kept.drop(WHERE)
    assert begin(kept, b"2") is None


def test_whoever_else_uses_the_same_key_meets_no_answer() -> None:
    kept = Repeats()
    begin(kept)
    kept.keep(WHERE, ONE)
    assert begin(kept, where=("person ben", *WHERE[1:])) is None
    assert begin(kept, where=(*WHERE[:2], "/y", "k")) is None


def test_what_is_kept_is_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Repeats()
    monkeypatch.setattr(repeats, "MOST_ANSWERS", 2)
    for number in range(3):
        where = (*WHERE[:3], str(number))
        begin(kept, where=where)
        kept.keep(where, ONE)
    assert len(kept) == 2
    assert begin(kept, where=(*WHERE[:3], "2")) == ONE
    monkeypatch.setattr(repeats, "MOST_BYTES", 10)
    where = (*WHERE[:3], "large")
    begin(kept, where=where)
    kept.keep(where, Kept(200, (), b"x" * 11))
    assert len(kept) == 0
    kept.drop(where)
    kept.keep(where, ONE)
    assert len(kept) == 0


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "ä", "a\n", "\x7f"])
def test_a_key_is_visible_ascii(key: str) -> None:
    with pytest.raises(ClientMistake, match="visible"):
        check_key(key)
    assert check_key("0197-~!") == "0197-~!"
