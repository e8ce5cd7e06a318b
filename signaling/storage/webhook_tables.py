"""Tables of webhooks and of their position in each room."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, text

from signaling.storage import words
from signaling.storage.columns import METADATA, UtcTime, at_most, document, key, long_text, one_of

webhooks = Table(
    "webhooks",
    METADATA,
    Column("id", key(words.ID_LENGTH), primary_key=True),
    Column("url", long_text(), nullable=False),
    Column("description", long_text(), nullable=False),
    Column("events", document(), nullable=False),
    # In clear, as signing needs them.
    Column("secrets", document(), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", key()),
    Column("position", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", key(words.IDENTITY_LENGTH), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    at_most("url", words.URL_LENGTH),
    at_most("description", words.DESCRIPTION_LENGTH),
    at_most("created_by", words.IDENTITY_LENGTH),
    one_of("disabled_reason", words.DISABLED_REASONS),
    CheckConstraint("enabled = (disabled_reason IS NULL)", name="disabled_for_a_reason"),
    Index(None, "created_at", "id"),
)

webhook_lanes = Table(
    "webhook_lanes",
    METADATA,
    Column("webhook_id", key(words.ID_LENGTH), ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True),
    # Empty for events without a room. No foreign key: the last event of a room reports its deletion.
    Column("room_id", key(words.ID_LENGTH), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("target_seq", BigInteger, nullable=False),
    Column("next_attempt_at", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("delivered_at", UtcTime),
    Column("last_error", long_text()),
    at_most("last_error", words.ERROR_LENGTH),
    CheckConstraint("(failing_since IS NULL) = (attempts = 0)", name="failing_after_an_attempt"),
    Index(
        "ix_webhook_lanes_due",
        "webhook_id",
        "next_attempt_at",
        sqlite_where=text("next_attempt_at IS NOT NULL"),
        postgresql_where=text("next_attempt_at IS NOT NULL"),
    ),
)
