"""Messages that rooms keep, and the outbox of events."""

import sqlalchemy as sa
from alembic import op

from signaling.storage.columns import UtcTime, document, key

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this state."""
    _messages()
    _outbox()
    _outbox_heads()


def downgrade() -> None:
    """Back to the one before; what these tables hold is lost."""
    op.drop_table("outbox_heads")
    op.drop_table("outbox")
    op.drop_table("messages")


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("call_id", key(64)),
        sa.Column("sender", key(128), nullable=False),
        sa.Column("recipient", key(128)),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("body", document()),
        sa.Column("sent_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_messages_room_id"), ondelete="CASCADE"),
        sa.CheckConstraint("length(topic) <= 64", name=op.f("ck_messages_topic_length")),
    )
    op.create_index(op.f("ix_messages_room_id_sent_at_id"), "messages", ["room_id", "sent_at", "id"])
    op.create_index(op.f("ix_messages_sent_at"), "messages", ["sent_at"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event", key(64), nullable=False),
        sa.Column("payload", document(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("state", key(64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", UtcTime(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("ended_at", UtcTime()),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_id")),
        sa.CheckConstraint("(state = 'pending') = (ended_at IS NULL)", name=op.f("ck_outbox_ended_at_when_ended")),
        sa.CheckConstraint("length(last_error) <= 500", name=op.f("ck_outbox_last_error_length")),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'abandoned')", name=op.f("ck_outbox_state_known")),
    )
    _partial_index("ix_outbox_ended", "outbox", ["ended_at"], "ended_at IS NOT NULL")
    _partial_index("ix_outbox_pending", "outbox", ["room_id", "seq"], "state = 'pending'")
    op.create_index(op.f("ix_outbox_room_id_seq"), "outbox", ["room_id", "seq"], unique=True)


def _outbox_heads() -> None:
    op.create_table(
        "outbox_heads",
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_outbox_heads")),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
