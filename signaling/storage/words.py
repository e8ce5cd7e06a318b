"""Vocabularies of columns, and lengths of texts. Pure."""

from typing import Literal, get_args

from sfu.offer import CandidateType
from signaling.protocol.server_messages import LeaveReason

RoomType = Literal["group", "party", "raid", "guild", "private", "global", "proximity"]
"""`global` is for announcements: only moderators speak."""
QualityPreset = Literal["low", "standard", "high", "music"]
DuplicatePolicy = Literal["kick_old", "reject_new"]
RoomRole = Literal["owner", "moderator", "member"]
PersonRole = Literal["operator", "owner", "moderator", "member"]
ActorRole = Literal["operator", "owner", "moderator", "member", "service", "server"]
"""The role of an actor: a person, a service with an API key, or the server."""
CallState = Literal["active", "ended"]
CallEnd = Literal["empty", "room_deleted", "scheduled_end", "server_shutdown", "server_lost"]
MediaState = Literal["connecting", "connected", "closed", "failed"]
DisabledReason = Literal["operator", "gone", "gave_up"]
"""Why a webhook is disabled: by an operator, after HTTP 410, or after three days without a delivery."""

ROOM_TYPES: tuple[str, ...] = get_args(RoomType)
QUALITY_PRESETS: tuple[str, ...] = get_args(QualityPreset)
DUPLICATE_POLICIES: tuple[str, ...] = get_args(DuplicatePolicy)
ROOM_ROLES: tuple[str, ...] = get_args(RoomRole)
PERSON_ROLES: tuple[str, ...] = get_args(PersonRole)
ACTOR_ROLES: tuple[str, ...] = get_args(ActorRole)
CALL_STATES: tuple[str, ...] = get_args(CallState)
CALL_ENDS: tuple[str, ...] = get_args(CallEnd)
LEAVE_REASONS: tuple[str, ...] = get_args(LeaveReason)
MEDIA_STATES: tuple[str, ...] = get_args(MediaState)
CANDIDATE_TYPES: tuple[str, ...] = get_args(CandidateType)
DISABLED_REASONS: tuple[str, ...] = get_args(DisabledReason)

ID_LENGTH = 64
NAME_LENGTH = 64
NAME_KEY_LENGTH = 256
IDENTITY_LENGTH = 128
DESCRIPTION_LENGTH = 1000
PASSWORD_HASH_LENGTH = 256
REASON_LENGTH = 500
ADDRESS_LENGTH = 64
USER_AGENT_LENGTH = 256
TOPIC_LENGTH = 64
EVENT_LENGTH = 64
ERROR_LENGTH = 500
HASH_LENGTH = 64
"""SHA-256 in hexadecimal."""
DOCUMENT_BYTES = 16_384
"""Maximum bytes of JSON as UTF-8, without spaces."""
URL_LENGTH = 2048
MOST_PARTICIPANTS = 10_000
LONGEST_EMPTY_SECONDS = 30 * 86_400
