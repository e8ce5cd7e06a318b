"""Rooms, calls, who was in them, their media sessions, and the starts of servers."""

import sqlalchemy as sa
from alembic import op

from signaling.storage.columns import UtcTime, document, key

revision = "0001"
down_revision = None


def upgrade() -> None:
    """To this state."""
    _rooms()
    _indexes_of_rooms()
    _calls()
    _participants()
    _media_sessions()
    _server_starts()


def downgrade() -> None:
    """Back to the one before; what these tables hold is lost."""
    op.drop_table("server_starts")
    op.drop_table("media_sessions")
    op.drop_table("participants")
    op.drop_table("calls")
    op.drop_table("rooms")


def _rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", key(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", key(256), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("room_type", key(64), nullable=False),
        sa.Column("owner", key(128)),
        sa.Column("guild_id", key(64)),
        sa.Column("region", key(64)),
        sa.Column("max_participants", sa.Integer(), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("is_temporary", sa.Boolean(), nullable=False),
        sa.Column("empty_timeout", sa.Integer(), nullable=False),
        sa.Column("is_moderated", sa.Boolean(), nullable=False),
        sa.Column("allow_recording", sa.Boolean(), nullable=False),
        sa.Column("quality_preset", key(64), nullable=False),
        sa.Column("duplicate_identity", key(64)),
        sa.Column("scheduled_end", UtcTime()),
        sa.Column("settings", document(), nullable=False),
        sa.Column("metadata", document(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", key(128)),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rooms")),
        sa.CheckConstraint("length(description) <= 1000", name=op.f("ck_rooms_description_length")),
        sa.CheckConstraint(
            "duplicate_identity IN ('kick_old', 'reject_new')", name=op.f("ck_rooms_duplicate_identity_known")
        ),
        sa.CheckConstraint("empty_timeout BETWEEN 0 AND 2592000", name=op.f("ck_rooms_empty_timeout_range")),
        sa.CheckConstraint("length(guild_id) <= 64", name=op.f("ck_rooms_guild_id_length")),
        sa.CheckConstraint("length(id) <= 64", name=op.f("ck_rooms_id_length")),
        sa.CheckConstraint("max_participants BETWEEN 1 AND 10000", name=op.f("ck_rooms_max_participants_range")),
        sa.CheckConstraint("length(name_key) <= 256", name=op.f("ck_rooms_name_key_length")),
        sa.CheckConstraint("length(name) <= 64", name=op.f("ck_rooms_name_length")),
        sa.CheckConstraint("length(owner) <= 128", name=op.f("ck_rooms_owner_length")),
        sa.CheckConstraint("length(password_hash) <= 256", name=op.f("ck_rooms_password_hash_length")),
        sa.CheckConstraint(
            "quality_preset IN ('low', 'standard', 'high', 'music')", name=op.f("ck_rooms_quality_preset_known")
        ),
        sa.CheckConstraint("length(region) <= 64", name=op.f("ck_rooms_region_length")),
        sa.CheckConstraint(
            "room_type IN ('group', 'party', 'raid', 'guild', 'private', 'global', 'proximity')",
            name=op.f("ck_rooms_room_type_known"),
        ),
    )


def _indexes_of_rooms() -> None:
    op.create_index(op.f("ix_rooms_created_at_id"), "rooms", ["created_at", "id"])
    op.create_index(op.f("ix_rooms_guild_id_created_at_id"), "rooms", ["guild_id", "created_at", "id"])
    op.create_index(op.f("ix_rooms_name_key_id"), "rooms", ["name_key", "id"])
    op.create_index(op.f("ix_rooms_owner_created_at_id"), "rooms", ["owner", "created_at", "id"])
    op.create_index(op.f("ix_rooms_region_created_at_id"), "rooms", ["region", "created_at", "id"])
    op.create_index(op.f("ix_rooms_room_type_created_at_id"), "rooms", ["room_type", "created_at", "id"])
    _partial_index("ix_rooms_scheduled_end", "rooms", ["scheduled_end"], "scheduled_end IS NOT NULL")
    _partial_index("ix_rooms_temporary", "rooms", ["id"], "is_temporary")


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("node", key(64), nullable=False),
        sa.Column("state", key(64), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime()),
        sa.Column("end_reason", key(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.CheckConstraint(
            "end_reason IN ('empty', 'room_deleted', 'scheduled_end', 'server_shutdown', 'server_lost')",
            name=op.f("ck_calls_end_reason_known"),
        ),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_calls_ended_at_when_ended")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_calls_ended_for_a_reason")),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_calls_state_known")),
    )
    _partial_index("ix_calls_active_node", "calls", ["node"], "state = 'active'")
    op.create_index(op.f("ix_calls_room_id_started_at_id"), "calls", ["room_id", "started_at", "id"])
    op.create_index(op.f("ix_calls_started_at_id"), "calls", ["started_at", "id"])
    _partial_index("uq_calls_active", "calls", ["room_id"], "state = 'active'", unique=True)


def _participants() -> None:
    op.create_table(
        "participants",
        sa.Column("id", key(64), nullable=False),
        sa.Column("call_id", key(64), nullable=False),
        sa.Column("room_id", key(64), nullable=False),
        sa.Column("node", key(64), nullable=False),
        sa.Column("identity", key(128), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", key(64), nullable=False),
        sa.Column("address", key(64)),
        sa.Column("user_agent", sa.Text()),
        sa.Column("joined_at", UtcTime(), nullable=False),
        sa.Column("left_at", UtcTime()),
        sa.Column("leave_reason", key(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participants")),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_participants_call_id"), ondelete="CASCADE"),
        sa.CheckConstraint("length(identity) <= 128", name=op.f("ck_participants_identity_length")),
        sa.CheckConstraint(
            "leave_reason IN ('client_initiated', 'duplicate_identity', 'server_shutdown', 'removed', 'banned',"
            " 'room_deleted', 'join_failure', 'migration', 'connection_timeout', 'media_failure', 'idle')",
            name=op.f("ck_participants_leave_reason_known"),
        ),
        sa.CheckConstraint(
            "(left_at IS NULL) = (leave_reason IS NULL)", name=op.f("ck_participants_left_for_a_reason")
        ),
        sa.CheckConstraint("length(name) <= 128", name=op.f("ck_participants_name_length")),
        sa.CheckConstraint(
            "role IN ('operator', 'owner', 'moderator', 'member')", name=op.f("ck_participants_role_known")
        ),
        sa.CheckConstraint("length(user_agent) <= 256", name=op.f("ck_participants_user_agent_length")),
    )
    op.create_index(op.f("ix_participants_call_id_joined_at_id"), "participants", ["call_id", "joined_at", "id"])
    op.create_index(op.f("ix_participants_identity_joined_at_id"), "participants", ["identity", "joined_at", "id"])
    op.create_index(op.f("ix_participants_joined_at_id"), "participants", ["joined_at", "id"])
    _partial_index("ix_participants_present_node", "participants", ["node"], "left_at IS NULL")
    _partial_index("ix_participants_present_room", "participants", ["room_id"], "left_at IS NULL")
    op.create_index(op.f("ix_participants_room_id_joined_at_id"), "participants", ["room_id", "joined_at", "id"])


def _media_sessions() -> None:
    op.create_table(
        "media_sessions",
        sa.Column("id", key(64), nullable=False),
        sa.Column("participant_id", key(64), nullable=False),
        sa.Column("state", key(64), nullable=False),
        sa.Column("transport", key(64)),
        sa.Column("candidate_type", key(64)),
        sa.Column("user_agent", sa.Text()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("connected_at", UtcTime()),
        sa.Column("ended_at", UtcTime()),
        sa.Column("end_reason", key(64)),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_sessions")),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name=op.f("fk_media_sessions_participant_id"), ondelete="CASCADE"
        ),
        sa.CheckConstraint(
            "bytes_sent >= 0 AND bytes_received >= 0", name=op.f("ck_media_sessions_bytes_not_negative")
        ),
        sa.CheckConstraint(
            "candidate_type IN ('host', 'srflx', 'prflx', 'relay')", name=op.f("ck_media_sessions_candidate_type_known")
        ),
        sa.CheckConstraint(
            "(state IN ('closed', 'failed')) = (ended_at IS NOT NULL)",
            name=op.f("ck_media_sessions_ended_at_when_ended"),
        ),
        sa.CheckConstraint(
            "state IN ('connecting', 'connected', 'closed', 'failed')", name=op.f("ck_media_sessions_state_known")
        ),
        sa.CheckConstraint("transport IN ('udp', 'tcp')", name=op.f("ck_media_sessions_transport_known")),
        sa.CheckConstraint("length(user_agent) <= 256", name=op.f("ck_media_sessions_user_agent_length")),
    )
    _partial_index("ix_media_sessions_open", "media_sessions", ["participant_id"], "ended_at IS NULL")
    op.create_index(
        op.f("ix_media_sessions_participant_id_created_at"), "media_sessions", ["participant_id", "created_at"]
    )


def _server_starts() -> None:
    op.create_table(
        "server_starts",
        sa.Column("id", key(64), nullable=False),
        sa.Column("node", key(64), nullable=False),
        sa.Column("version", key(64), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("stopped_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_starts")),
    )
    op.create_index(op.f("ix_server_starts_node_started_at"), "server_starts", ["node", "started_at"])


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
