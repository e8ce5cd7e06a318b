"""Webhooks; and the outbox as a plain log, as each target has a place of its own in it now."""

import sqlalchemy as sa
from alembic import op

from signaling.storage.columns import POSTGRESQL, UtcTime, document, key

revision = "0005"
down_revision = "0004"

_KEPT = "position, id, room_id, seq, event, payload, created_at"


def upgrade() -> None:
    """To this state. Events stay; whether they were delivered is not asked any more."""
    _drop_indexes("ix_outbox_ended", "ix_outbox_pending", "ix_outbox_room_id_seq")
    _set_aside()
    _outbox([])
    op.execute(f"INSERT INTO outbox ({_KEPT}) SELECT {_KEPT} FROM outbox_before")  # noqa: S608 - constants
    op.drop_table("outbox_before")
    op.create_index(op.f("ix_outbox_created_at"), "outbox", ["created_at"])
    op.create_index(op.f("ix_outbox_room_id_seq"), "outbox", ["room_id", "seq"], unique=True)
    _webhooks()
    _webhook_lanes()


def downgrade() -> None:
    """Back to the one before: webhooks are lost, and every event counts as delivered."""
    op.drop_table("webhook_lanes")
    op.drop_table("webhooks")
    _drop_indexes("ix_outbox_created_at", "ix_outbox_room_id_seq")
    _set_aside()
    _outbox(
        [
            sa.Column("state", key(64), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("next_attempt_at", UtcTime(), nullable=False),
            sa.Column("last_error", sa.Text()),
            sa.Column("ended_at", UtcTime()),
            sa.CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name=op.f("ck_outbox_ended_at_when_ended")),
            sa.CheckConstraint("length(last_error) <= 500", name=op.f("ck_outbox_last_error_length")),
            sa.CheckConstraint("state IN ('pending', 'delivered', 'abandoned')", name=op.f("ck_outbox_state_known")),
        ]
    )
    op.execute(
        f"INSERT INTO outbox ({_KEPT}, state, attempts, next_attempt_at, ended_at)"  # noqa: S608 - constants
        f" SELECT {_KEPT}, 'delivered', 0, created_at, created_at FROM outbox_before"
    )
    op.drop_table("outbox_before")
    _partial_index("ix_outbox_ended", "outbox", ["ended_at"], "ended_at IS NOT NULL")
    _partial_index("ix_outbox_pending", "outbox", ["room_id", "seq"], "state = 'pending'")
    op.create_index(op.f("ix_outbox_room_id_seq"), "outbox", ["room_id", "seq"], unique=True)


def _drop_indexes(*names: str) -> None:
    for name in names:
        op.drop_index(name, "outbox")


def _set_aside() -> None:
    op.rename_table("outbox", "outbox_before")
    if op.get_bind().dialect.name == POSTGRESQL:
        # There, names of keys are names in the whole schema.
        for name in ("pk_outbox", "uq_outbox_id"):
            op.drop_constraint(name, "outbox_before")


def _outbox(more: list[sa.Column[object] | sa.CheckConstraint]) -> None:
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event", key(64), nullable=False),
        sa.Column("payload", document(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        *more,
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_id")),
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", key(64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("events", document(), nullable=False),
        sa.Column("secrets", document(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", key(64)),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", key(128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.CheckConstraint("length(url) <= 2048", name=op.f("ck_webhooks_url_length")),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_webhooks_description_length")),
        sa.CheckConstraint("length(created_by) <= 128", name=op.f("ck_webhooks_created_by_length")),
        sa.CheckConstraint(
            "disabled_reason IN ('operator', 'gone', 'gave_up')", name=op.f("ck_webhooks_disabled_reason_known")
        ),
        sa.CheckConstraint("enabled = (disabled_reason IS NULL)", name=op.f("ck_webhooks_disabled_for_a_reason")),
    )
    op.create_index(op.f("ix_webhooks_created_at_id"), "webhooks", ["created_at", "id"])


def _webhook_lanes() -> None:
    op.create_table(
        "webhook_lanes",
        sa.Column("webhook_id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("target_seq", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", UtcTime()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcTime()),
        sa.Column("delivered_at", UtcTime()),
        sa.Column("last_error", sa.Text()),
        sa.PrimaryKeyConstraint("webhook_id", "room_id", name=op.f("pk_webhook_lanes")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_lanes_webhook_id"), ondelete="CASCADE"
        ),
        sa.CheckConstraint("length(last_error) <= 500", name=op.f("ck_webhook_lanes_last_error_length")),
        sa.CheckConstraint(
            "(failing_since IS NULL) = (attempts = 0)", name=op.f("ck_webhook_lanes_failing_after_an_attempt")
        ),
    )
    due = ["webhook_id", "next_attempt_at"]
    _partial_index("ix_webhook_lanes_due", "webhook_lanes", due, "next_attempt_at IS NOT NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
