"""The port is a protocol: what is to be shown is that nothing else of a listener is ever used."""

from sfu.room import MediaRoom
from sfu.selection import MuteFlags
from tests.support.ears import Mouth, stream_of


class Meter:
    """Only the four methods, and slots that allow no other attribute."""

    __slots__ = ("told",)

    def __init__(self):
        self.told = []

    def joined(self, stream, now):
        self.told.append(("joined", stream.id, now))

    def packet(self, stream, packet, arrival):
        self.told.append((packet.sequence, packet.payload, arrival))

    def left(self, stream, now):
        self.told.append(("left", stream.id, now))

    def closed(self, reason):
        self.told.append(reason)


def test_a_listener_needs_four_methods_and_no_more():
    room, meter = MediaRoom("lobby"), Meter()
    room.attach(meter, 0.0)
    room.add("ana", MuteFlags(), 0.0)
    stream = stream_of("ana", first=5)
    room.add_stream("ana", stream, 1.0)
    Mouth(stream, now=2.0).say()
    room.set_flags("ana", MuteFlags(mute=True), 3.0)
    room.set_flags("ana", MuteFlags(), 4.0)
    room.remove("ana", 5.0)
    room.close("empty")
    assert meter.told == [
        ("joined", 1, 1.0),
        (5, b"ana:1:5", 2.0),
        ("left", 1, 3.0),
        ("joined", 1, 4.0),
        ("left", 1, 5.0),
        "empty",
    ]
