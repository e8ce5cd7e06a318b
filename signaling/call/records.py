"""What a conversation is given to keep beyond a call: who is kept out, who was there, and who did what. Pure."""

from dataclasses import dataclass, field

from signaling.call.chronicle import Chronicle, LoggedChronicle
from signaling.identity.deny_list import DenyList, MemoryDenyList


@dataclass(frozen=True, slots=True)
class Records:
    """In memory and in the log, unless others are given."""

    deny_list: DenyList = field(default_factory=MemoryDenyList)
    chronicle: Chronicle = field(default_factory=LoggedChronicle)
