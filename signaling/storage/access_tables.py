"""Tables of access and moderation: audit trail, bans, invites, API keys, and the outbox of events."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table

from signaling.storage import words
from signaling.storage.columns import METADATA, UtcTime, at_most, document, key, long_text, one_of

moderation_events = Table(
    "moderation_events",
    METADATA,
    Column("id", key(words.ID_LENGTH), primary_key=True),
    # No foreign keys: the audit trail outlives the rows it refers to. A trigger refuses to change or delete a row.
    Column("room_id", key(words.ID_LENGTH)),
    Column("call_id", key(words.ID_LENGTH)),
    Column("action", key(), nullable=False),
    Column("actor", key(words.IDENTITY_LENGTH), nullable=False),
    Column("actor_role", key(), nullable=False),
    Column("address", key(words.ADDRESS_LENGTH)),
    Column("target", key(words.IDENTITY_LENGTH), nullable=False),
    Column("participant_id", key(words.ID_LENGTH)),
    Column("reason", long_text(), nullable=False),
    Column("expires_at", UtcTime),
    Column("details", document(), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    one_of("actor_role", words.ACTOR_ROLES),
    at_most("reason", words.REASON_LENGTH),
    Index(None, "created_at", "id"),
    Index(None, "room_id", "created_at", "id"),
    Index(None, "target", "created_at", "id"),
    Index(None, "actor", "created_at", "id"),
)

bans = Table(
    "bans",
    METADATA,
    Column("id", key(words.ID_LENGTH), primary_key=True),
    # NULL: the whole server. No foreign key: an ad-hoc room has bans too.
    Column("room_id", key(words.ID_LENGTH)),
    Column("identity", key(words.IDENTITY_LENGTH)),
    Column("address_hash", key(words.HASH_LENGTH)),
    Column("reason", long_text(), nullable=False),
    Column("created_by", key(words.IDENTITY_LENGTH), nullable=False),
    Column("by_role", key(), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("lifted_at", UtcTime),
    Column("lifted_by", key(words.IDENTITY_LENGTH)),
    at_most("reason", words.REASON_LENGTH),
    one_of("by_role", words.ACTOR_ROLES),
    CheckConstraint("identity IS NOT NULL OR address_hash IS NOT NULL", name="somebody"),
    CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted_by_somebody"),
    Index(None, "identity"),
    Index(None, "address_hash"),
    Index(None, "room_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

withdrawn_tokens = Table(
    "withdrawn_tokens",
    METADATA,
    # A hash, as the issuer of a token chooses the text of its `jti`.
    Column("token_hash", key(words.HASH_LENGTH), primary_key=True),
    # The expiry of the token. The row is not needed after that.
    Column("until", UtcTime, nullable=False),
    Index(None, "until"),
)

invites = Table(
    "invites",
    METADATA,
    Column("id", key(words.ID_LENGTH), primary_key=True),
    Column("room_id", key(words.ID_LENGTH), ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("token_hash", key(words.HASH_LENGTH), nullable=False, unique=True),
    Column("role", key(), nullable=False),
    # The identity that it is for. NULL: anyone with the link.
    Column("invitee", key(words.IDENTITY_LENGTH)),
    Column("max_uses", Integer, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("created_by", key(words.IDENTITY_LENGTH), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("rejected_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("revoked_by", key(words.IDENTITY_LENGTH)),
    one_of("role", words.ROOM_ROLES),
    CheckConstraint("max_uses >= 1 AND uses BETWEEN 0 AND max_uses", name="uses_within_the_limit"),
    CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_by_somebody"),
    Index(None, "room_id", "created_at", "id"),
    Index(None, "expires_at"),
)

invite_uses = Table(
    "invite_uses",
    METADATA,
    Column("invite_id", key(words.ID_LENGTH), ForeignKey("invites.id", ondelete="CASCADE"), primary_key=True),
    Column("identity", key(words.IDENTITY_LENGTH), primary_key=True),
    Column("used_at", UtcTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    METADATA,
    Column("id", key(words.ID_LENGTH), primary_key=True),
    Column("prefix", key(), nullable=False, unique=True),
    Column("secret_hash", key(words.HASH_LENGTH), nullable=False),
    Column("name", long_text(), nullable=False),
    Column("scopes", document(), nullable=False),
    # The rooms that it is restricted to. NULL: all rooms.
    Column("rooms", document()),
    Column("created_by", key(words.IDENTITY_LENGTH), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
    at_most("name", words.NAME_LENGTH),
    Index(None, "created_at", "id"),
)

outbox = Table(
    "outbox",
    METADATA,
    # One sequence for all events of the server and one for each room. Neither has gaps.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", key(words.ID_LENGTH), nullable=False, unique=True),
    Column("room_id", key(words.ID_LENGTH), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event", key(words.EVENT_LENGTH), nullable=False),
    Column("payload", document(), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "created_at"),
    Index(None, "room_id", "seq", unique=True),
)

outbox_heads = Table(
    "outbox_heads",
    METADATA,
    # The last number assigned: '*' for the server, '' for events without a room.
    Column("room_id", key(words.ID_LENGTH), primary_key=True),
    Column("last", BigInteger, nullable=False),
)
