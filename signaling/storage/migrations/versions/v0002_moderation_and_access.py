"""Moderation events that nobody can change, bans, invites, API keys."""

import sqlalchemy as sa
from alembic import op

from signaling.storage.columns import UtcTime, document, key

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To this state."""
    _moderation_events()
    _bans()
    _invites()
    _invite_uses()
    _api_keys()
    _append_only()


def downgrade() -> None:
    """Back to the one before; what these tables hold is lost."""
    op.drop_table("api_keys")
    op.drop_table("invite_uses")
    op.drop_table("invites")
    op.drop_table("bans")
    op.drop_table("moderation_events")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION parley_append_only")


def _moderation_events() -> None:
    op.create_table(
        "moderation_events",
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64)),
        sa.Column("call_id", key(64)),
        sa.Column("action", key(64), nullable=False),
        sa.Column("actor", key(128), nullable=False),
        sa.Column("actor_role", key(64), nullable=False),
        sa.Column("address", key(64)),
        sa.Column("target", key(128), nullable=False),
        sa.Column("participant_id", key(64)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcTime()),
        sa.Column("details", document(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_events")),
        sa.CheckConstraint(
            "actor_role IN ('operator', 'owner', 'moderator', 'member', 'service', 'server')",
            name=op.f("ck_moderation_events_actor_role_known"),
        ),
        sa.CheckConstraint("length(reason) <= 500", name=op.f("ck_moderation_events_reason_length")),
    )
    op.create_index(
        op.f("ix_moderation_events_actor_created_at_id"), "moderation_events", ["actor", "created_at", "id"]
    )
    op.create_index(op.f("ix_moderation_events_created_at_id"), "moderation_events", ["created_at", "id"])
    op.create_index(
        op.f("ix_moderation_events_room_id_created_at_id"), "moderation_events", ["room_id", "created_at", "id"]
    )
    op.create_index(
        op.f("ix_moderation_events_target_created_at_id"), "moderation_events", ["target", "created_at", "id"]
    )


def _bans() -> None:
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
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_bans_room_id"), ondelete="CASCADE"),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name=op.f("ck_bans_lifted_by_somebody")),
        sa.CheckConstraint("length(reason) <= 500", name=op.f("ck_bans_reason_length")),
        sa.CheckConstraint("identity IS NOT NULL OR address_hash IS NOT NULL", name=op.f("ck_bans_somebody")),
    )
    op.create_index(op.f("ix_bans_address_hash"), "bans", ["address_hash"])
    op.create_index(op.f("ix_bans_created_at_id"), "bans", ["created_at", "id"])
    op.create_index(op.f("ix_bans_identity"), "bans", ["identity"])
    op.create_index(op.f("ix_bans_room_id_created_at_id"), "bans", ["room_id", "created_at", "id"])


def _invites() -> None:
    op.create_table(
        "invites",
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("token_hash", key(64), nullable=False),
        sa.Column("role", key(64), nullable=False),
        sa.Column("invitee", key(128)),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("created_by", key(128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("rejected_at", UtcTime()),
        sa.Column("revoked_at", UtcTime()),
        sa.Column("revoked_by", key(128)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_invites_room_id"), ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invites_token_hash")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_invites_revoked_by_somebody")),
        sa.CheckConstraint("role IN ('owner', 'moderator', 'member')", name=op.f("ck_invites_role_known")),
        sa.CheckConstraint(
            "max_uses >= 1 AND uses BETWEEN 0 AND max_uses", name=op.f("ck_invites_uses_within_the_limit")
        ),
    )
    op.create_index(op.f("ix_invites_expires_at"), "invites", ["expires_at"])
    op.create_index(op.f("ix_invites_room_id_created_at_id"), "invites", ["room_id", "created_at", "id"])


def _invite_uses() -> None:
    op.create_table(
        "invite_uses",
        sa.Column("invite_id", key(64), nullable=False),
        sa.Column("identity", key(128), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("invite_id", "identity", name=op.f("pk_invite_uses")),
        sa.ForeignKeyConstraint(
            ["invite_id"], ["invites.id"], name=op.f("fk_invite_uses_invite_id"), ondelete="CASCADE"
        ),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", key(64), nullable=False),
        sa.Column("prefix", key(64), nullable=False),
        sa.Column("secret_hash", key(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", document(), nullable=False),
        sa.Column("rooms", document()),
        sa.Column("created_by", key(128), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime()),
        sa.Column("used_at", UtcTime()),
        sa.Column("revoked_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
        sa.CheckConstraint("length(name) <= 64", name=op.f("ck_api_keys_name_length")),
    )
    op.create_index(op.f("ix_api_keys_created_at_id"), "api_keys", ["created_at", "id"])


def _append_only() -> None:
    """Refuse to change or delete what was done to whom, whoever asks."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION parley_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'moderation_events is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER moderation_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON moderation_events"
            " FOR EACH STATEMENT EXECUTE FUNCTION parley_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER moderation_events_no_{verb.lower()} BEFORE {verb} ON moderation_events"
            " BEGIN SELECT RAISE(ABORT, 'moderation_events is append-only'); END"
        )
