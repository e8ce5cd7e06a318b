"""What a token withholds, on the real media server with real peers: judged by the packets that arrive."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.peer import Peer
from tests.signaling.fakes import FakeCarrier, FakeServer, pid
from tests.support.house import MediaHouse, eventually, media_house


class Voices:
    """A conversation on a real media server, and who is in it."""

    def __init__(self, media: MediaHouse) -> None:
        self.media = media
        self.server = FakeServer()
        self.server.conversation.media = media.server
        self.lines: dict[str, FakeCarrier] = {}
        self.peers: dict[str, Peer] = {}

    async def enter(self, identity: str, **grants: bool) -> Peer:
        line = self.lines[identity] = self.server.enter(identity, **grants)
        peer = self.peers[identity] = self.media.peer()

        def signal(offer: str) -> str:
            line.take()
            self.server.say(line, "offer", {"sdp": offer})
            return str(line.take("answer")["sdp"])

        await peer.connect(signal)
        await self.media.told("media_connected", pid(line))
        return peer

    def heard(self, identity: str) -> set[bytes]:
        return {heard.payload for line in self.peers[identity].heard.values() for heard in line}

    def slots(self, identity: str) -> dict[str, str | None]:
        return self.media.observer.slots[pid(self.lines[identity])]

    async def said_and_heard(self, word: bytes, speaker: str, listener: str) -> None:
        """Say a word until the listener has it: the first packets may come before the slot is there."""

        def again() -> bool:
            self.peers[speaker].send(word)
            return word in self.heard(listener)

        await eventually(again)

    def silent_for(self, listener: str, who: str) -> bool:
        """Whether none of the words of `who` has come to the listener."""
        return not any(word.startswith(who.encode()) for word in self.heard(listener))


@asynccontextmanager
async def voices() -> AsyncIterator[Voices]:
    async with media_house() as media:
        yield Voices(media)


@pytest.mark.parametrize("grants", [{"can_publish": False}, {"hidden": True}])
async def test_who_may_not_be_heard_is_answered_and_hears_and_nothing_of_theirs_is_forwarded(
    grants: dict[str, bool],
) -> None:
    async with voices() as room:
        for identity in ("ben", "cat"):
            await room.enter(identity)
        quiet = await room.enter("ana", **grants)
        for number in range(20):
            quiet.send(b"ana %d" % number)
        await room.said_and_heard(b"ben 1", "ben", "cat")
        await room.said_and_heard(b"ben 2", "ben", "ana")
        room.server.say(room.lines["ana"], "unmute")
        quiet.send(b"ana again")
        await room.said_and_heard(b"ben 3", "ben", "cat")
        assert all(room.silent_for(listener, "ana") for listener in ("ben", "cat"))
        mids = [mid for mid, who in room.slots("ben").items() if who == pid(room.lines["ana"])]
        assert not any(room.peers["ben"].heard[mid] for mid in mids)


async def test_who_may_not_hear_is_heard_and_hears_nothing() -> None:
    async with voices() as room:
        for identity in ("ben", "cat"):
            await room.enter(identity)
        await room.enter("ana", can_subscribe=False)
        await room.said_and_heard(b"ana 1", "ana", "ben")
        await room.said_and_heard(b"ben 1", "ben", "cat")
        room.server.say(room.lines["ana"], "undeafen")
        await room.said_and_heard(b"ben 2", "ben", "cat")
        assert room.heard("ana") == set()


async def test_a_mute_for_a_time_silences_and_its_end_lets_speak_again() -> None:
    async with voices() as room:
        for identity in ("ana", "ben", "cat"):
            await room.enter(identity)
        boss = room.server.enter("boss", room_admin=True)
        await room.said_and_heard(b"ana 1", "ana", "ben")
        target = pid(room.lines["ana"])
        room.server.say(boss, "moderate", {"action": "mute", "target": target, "duration": 60})
        room.peers["ana"].send(b"ana muted")
        await room.said_and_heard(b"cat 1", "cat", "ben")
        assert b"ana muted" not in room.heard("ben")
        room.server.tick(60)
        await room.said_and_heard(b"ana 2", "ana", "ben")


async def test_a_ban_ends_the_call_for_them() -> None:
    async with voices() as room:
        for identity in ("ana", "ben", "cat"):
            await room.enter(identity)
        boss = room.server.enter("boss", room_admin=True)
        await room.said_and_heard(b"ana 1", "ana", "ben")
        room.server.say(boss, "moderate", {"action": "ban", "target": pid(room.lines["ana"])})
        assert room.media.server.observation.gauges()["endpoints"] == 2
        room.peers["ana"].send(b"ana banned")
        await room.said_and_heard(b"cat 1", "cat", "ben")
        assert b"ana banned" not in room.heard("ben")
        assert room.lines["ana"].closed == "banned"
