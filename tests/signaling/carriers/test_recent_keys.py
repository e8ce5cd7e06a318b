from datetime import UTC, datetime

from signaling.carriers import recent_keys
from signaling.carriers.recent_keys import NOTED_EVERY, REMEMBERED, RecentKeys
from signaling.storage.api_keys import ApiKey


def key(number: int = 1) -> ApiKey:
    return ApiKey(
        id=f"k{number}",
        prefix="p",
        name="game",
        scopes=("*",),
        rooms=None,
        created_by="ops",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_key_is_remembered_for_some_seconds_and_no_secret_is_kept() -> None:
    keys = RecentKeys()
    keys.keep("parley_x_secret", key(), 10.0)
    assert keys.find("parley_x_secret", 10.0 + REMEMBERED - 0.1) == key()
    assert keys.find("parley_x_secret", 10.0 + REMEMBERED) is None
    assert keys.find("parley_x_other", 10.0) is None
    assert "secret" not in repr(vars(keys))


def test_a_key_that_is_withdrawn_is_forgotten() -> None:
    keys = RecentKeys()
    keys.keep("a", key(1), 0.0)
    keys.keep("b", key(2), 0.0)
    keys.forget("k1")
    assert (keys.find("a", 0.0), keys.find("b", 0.0)) == (None, key(2))


def test_a_use_is_noted_once_a_minute() -> None:
    keys = RecentKeys()
    times = [0.0, 1.0, NOTED_EVERY - 0.1, NOTED_EVERY, NOTED_EVERY + 1]
    assert [keys.is_to_be_noted("k1", now) for now in times] == [True, False, False, True, False]
    assert keys.is_to_be_noted("k2", 1.0)


def test_what_is_remembered_is_bounded(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(recent_keys, "MOST", 2)
    keys = RecentKeys()
    for name in ("a", "b", "c"):
        keys.keep(name, key(), 0.0)
        keys.is_to_be_noted(name, 0.0)
    assert [keys.find(name, 0.0) is not None for name in ("a", "b", "c")] == [False, True, True]
    assert keys.is_to_be_noted("a", 0.0)
    assert not keys.is_to_be_noted("c", 0.0)
