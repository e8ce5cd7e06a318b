"""What a conversation is given to keep beyond a call: who is kept out, and who did what. Pure."""

from dataclasses import dataclass, field

from signaling.call.audit import AuditLog, LoggedAudit
from signaling.identity.deny_list import DenyList, MemoryDenyList


@dataclass(frozen=True, slots=True)
class Records:
    """In memory and in the log, unless others are given."""

    deny_list: DenyList = field(default_factory=MemoryDenyList)
    audit: AuditLog = field(default_factory=LoggedAudit)
