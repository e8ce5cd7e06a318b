from datetime import timedelta
from random import Random

from signaling.history.deny_list import KeptDenyList
from signaling.identity.deny_list import DenyList, token_hashes
from signaling.storage.spool import Change, decode_lines, encode_line
from tests.signaling.identity.forging import NOW
from tests.signaling.identity.test_deny_list import ban, claims


def kept() -> tuple[KeptDenyList, list[list[Change]]]:
    batches: list[list[Change]] = []
    return KeptDenyList(lambda batch: batches.append(list(batch)), lambda: NOW, Random(1).randbytes), batches


def test_a_withdrawn_token_holds_at_once_and_is_written_as_a_hash() -> None:
    denied, batches = kept()
    as_any: DenyList = denied
    token = claims(jti="any\0text\ud800")
    as_any.withdraw(token, NOW)
    assert denied.denial(token, NOW)
    ((change,),) = batches
    assert (change.kind, {change.values["token_hash"]}) == ("token.withdraw", token_hashes(token))
    assert decode_lines(encode_line([change])).lines == [(change,)]
    other, _ = kept()
    other.withdraw_hash(change.values["token_hash"], change.values["until"])
    assert other.denial(token, NOW)
    assert other.denial(token, change.values["until"]) is None


def test_a_ban_is_written_with_who_when_and_why() -> None:
    denied, batches = kept()
    denied.ban(ban(by="boss", by_role="owner", until=NOW + timedelta(hours=1), reason="noise"))
    ((change,),) = batches
    found = denied.find_ban("ana", "lobby", NOW)
    assert found is not None
    assert change == Change(
        "ban.add",
        {
            "id": found.id,
            "created_by": "boss",
            "created_at": NOW,
            "by_role": "owner",
            "room_id": "lobby",
            "identity": "ana",
            "reason": "noise",
            "expires_at": NOW + timedelta(hours=1),
        },
    )
    denied.ban(ban(identity="ben", id="given"))
    assert batches[1][0].values["id"] == "given"


def test_a_ban_that_replaces_another_ends_it() -> None:
    denied, batches = kept()
    denied.ban(ban(id="first"))
    denied.ban(ban(id="second", by="boss", since=NOW + timedelta(seconds=1)))
    ended, added = batches[1]
    assert ended == Change("ban.end", {"ban_id": "first", "by": "boss", "utc": NOW + timedelta(seconds=1)})
    assert added.values["id"] == "second"


def test_a_lifted_ban_is_ended_by_its_id_and_an_absent_one_by_nothing() -> None:
    denied, batches = kept()
    denied.catch_up([ban(id="kept")], {})
    assert batches == []
    assert denied.unban("ana", "lobby", "boss")
    assert batches == [[Change("ban.end", {"ban_id": "kept", "by": "boss", "utc": NOW})]]
    assert not denied.unban("ana", "lobby", "boss")
    assert len(batches) == 1


def test_what_others_have_written_comes_in_and_is_news_once() -> None:
    denied, batches = kept()
    token = claims(jti="kicked", sub="eve")
    tokens = dict.fromkeys(token_hashes(token), NOW + timedelta(hours=1))
    for news in (True, False):
        denied.catch_up([ban(id="a"), ban(id="b", identity="ben", room=None)], tokens)
        assert denied.take_news() is news
        assert not denied.take_news()
    assert denied.find_ban("ana", "lobby", NOW)
    assert denied.find_ban("ben", None, NOW)
    assert denied.denial(token, NOW) == (None,)
    assert batches == [], "what is read is not written again"


def test_what_others_have_lifted_keeps_nobody_out() -> None:
    denied, _ = kept()
    denied.catch_up([ban(id="a"), ban(id="b", identity="ben")], {})
    denied.take_news()
    denied.catch_up([ban(id="b", identity="ben")], {})
    assert denied.find_ban("ana", "lobby", NOW) is None
    assert denied.find_ban("ben", "lobby", NOW)
    assert not denied.take_news()


def test_what_was_done_here_holds_before_it_is_written() -> None:
    denied, _ = kept()
    denied.catch_up([ban(id="a")], {})
    assert denied.unban("ana", "lobby", "boss")
    denied.ban(ban(id="b", identity="ben"))
    denied.ban(ban(id="c", identity="cem"))
    denied.ban(ban(id="d", identity="dan"))
    assert denied.unban("dan", "lobby", "boss")
    denied.forget_room("nowhere")
    for written in ([ban(id="a")], [ban(id="a"), ban(id="b", identity="ben"), ban(id="d", identity="dan")]):
        denied.catch_up(written, {})
        holding = [who for who in ("ana", "ben", "cem", "dan") if denied.find_ban(who, "lobby", NOW)]
        assert holding == ["ben", "cem"]
    denied.forget_room("lobby")
    denied.catch_up([], {})
    assert len(denied) == 0


def test_of_two_bans_of_one_person_the_one_made_last_holds_and_then_the_other() -> None:
    denied, _ = kept()
    first, second = ban(id="z", since=NOW), ban(id="b", since=NOW + timedelta(seconds=1))
    denied.ban(second)
    denied.catch_up([first], {})
    assert denied.find_ban("ana", "lobby", NOW) == second
    denied.catch_up([first, second], {})
    assert denied.unban("ana", "lobby", "boss")
    denied.catch_up([first, second], {})
    assert denied.find_ban("ana", "lobby", NOW) == first, "its own end is still to come"


def test_a_ban_that_is_over_is_not_taken_up_again() -> None:
    now = [NOW]
    denied = KeptDenyList(lambda _: None, lambda: now[0], Random(1).randbytes)
    denied.ban(ban(until=NOW + timedelta(seconds=1)))
    now[0] += timedelta(seconds=2)
    denied.forget_expired(now[0])
    denied.catch_up([], {})
    assert (len(denied), denied.take_news()) == (0, False)
