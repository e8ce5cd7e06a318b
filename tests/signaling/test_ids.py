import uuid
from datetime import UTC, datetime, timedelta

from signaling.ids import new_secret, uuid7


def test_rfc_9562_section_5_7_version_variant_and_time() -> None:
    utc = datetime(2026, 1, 1, tzinfo=UTC)
    value = uuid.UUID(uuid7(utc, lambda size: b"\xff" * size))
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert value.int >> 80 == int(utc.timestamp() * 1000)


def test_uuid7_sorts_by_time() -> None:
    utc = datetime(2026, 1, 1, tzinfo=UTC)
    assert uuid7(utc, lambda n: b"\xff" * n) < uuid7(utc + timedelta(milliseconds=1), bytes)


def test_a_secret_has_128_bits() -> None:
    assert len(new_secret(lambda size: b"x" * size)) == 22
