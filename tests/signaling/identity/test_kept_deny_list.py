from datetime import timedelta
from random import Random

from signaling.identity.deny_list import DenyList, token_hashes
from signaling.identity.kept_deny_list import KeptDenyList
from signaling.storage.spool_format import Change, decode_lines, encode_line
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
    denied.load_ban(ban(id="kept"))
    assert batches == []
    assert denied.unban("ana", "lobby", "boss")
    assert batches == [[Change("ban.end", {"ban_id": "kept", "by": "boss", "utc": NOW})]]
    assert not denied.unban("ana", "lobby", "boss")
    assert len(batches) == 1
