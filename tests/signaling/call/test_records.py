from signaling.call.chronicle import LoggedChronicle
from signaling.call.records import Records
from signaling.identity.deny_list import MemoryDenyList


def test_without_others_they_are_in_memory_and_in_the_log() -> None:
    records = Records()
    assert isinstance(records.deny_list, MemoryDenyList)
    assert isinstance(records.chronicle, LoggedChronicle)
    assert records.deny_list is not Records().deny_list
