"""Who imposed a ban, by role; bans of rooms that are not kept; tokens that were withdrawn."""

import sqlalchemy as sa
from alembic import op

from signaling.storage.columns import UtcTime, key

revision = "0004"
down_revision = "0003"

_ROLES = "'operator', 'owner', 'moderator', 'member', 'service', 'server'"
_COLUMNS = "id, room_id, identity, address_hash, reason, created_by, created_at, expires_at, lifted_at, lifted_by"
_INDEXES = {
    "ix_bans_address_hash": ["address_hash"],
    "ix_bans_created_at_id": ["created_at", "id"],
    "ix_bans_identity": ["identity"],
    "ix_bans_room_id_created_at_id": ["room_id", "created_at", "id"],
}


def upgrade() -> None:
    """To this state. Nobody knows any more who imposed the bans there are: a moderator is the least that it takes."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_bans_room_id", "bans", type_="foreignkey")
        op.add_column("bans", sa.Column("by_role", key(64), nullable=False, server_default="moderator"))
        op.alter_column("bans", "by_role", server_default=None)
        op.create_check_constraint(op.f("ck_bans_by_role_known"), "bans", f"by_role IN ({_ROLES})")
    else:
        _make_anew(
            sa.Column("by_role", key(64), nullable=False),
            sa.CheckConstraint(f"by_role IN ({_ROLES})", name=op.f("ck_bans_by_role_known")),
            values=f"{_COLUMNS}, 'moderator'",
            columns=f"{_COLUMNS}, by_role",
        )
    op.create_table(
        "withdrawn_tokens",
        sa.Column("token_hash", key(64), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_withdrawn_tokens")),
    )
    op.create_index(op.f("ix_withdrawn_tokens_until"), "withdrawn_tokens", ["until"])


def downgrade() -> None:
    """Back to the one before. Withdrawn tokens are lost, and bans of rooms that are not kept."""
    op.drop_table("withdrawn_tokens")
    op.execute("DELETE FROM bans WHERE room_id NOT IN (SELECT id FROM rooms)")
    foreign = ("fk_bans_room_id", ["room_id"], ["id"])
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_bans_by_role_known"), "bans", type_="check")
        op.drop_column("bans", "by_role")
        op.create_foreign_key(foreign[0], "bans", "rooms", *foreign[1:], ondelete="CASCADE")
        return
    constraint = sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_bans_room_id"), ondelete="CASCADE")
    _make_anew(constraint, values=_COLUMNS, columns=_COLUMNS)


def _make_anew(*differences: sa.schema.SchemaItem, values: str, columns: str) -> None:
    """SQLite changes no constraint of a table that is there: a new one takes over its rows."""
    for name in _INDEXES:
        op.drop_index(op.f(name), "bans")
    op.rename_table("bans", "bans_before")
    op.create_table(
        "bans",
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64)),
        sa.Column("identity", key(128)),
        sa.Column("address_hash", key(64)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", key(128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime()),
        sa.Column("lifted_at", UtcTime()),
        sa.Column("lifted_by", key(128)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bans")),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_bans_lifted_by_somebody")),
        sa.CheckConstraint("length(reason) <= 500", name=op.f("ck_bans_reason_length")),
        sa.CheckConstraint("identity IS NOT NULL OR address_hash IS NOT NULL", name=op.f("ck_bans_somebody")),
        *differences,
    )
    op.execute(f"INSERT INTO bans ({columns}) SELECT {values} FROM bans_before")  # noqa: S608 - constants of this file
    op.drop_table("bans_before")
    for name, indexed in _INDEXES.items():
        op.create_index(op.f(name), "bans", indexed)
