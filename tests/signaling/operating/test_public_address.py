import asyncio
from contextlib import asynccontextmanager

from aioice import stun

from signaling.operating.public_address import advertise, query


class Responder(asyncio.DatagramProtocol):
    """A STUN server (RFC 8489) that says `mapped`, after having ignored the first `deaf` requests."""

    def __init__(self, mapped="198.51.100.7", deaf=0, before=()):
        self.mapped, self.deaf, self.before = mapped, deaf, before
        self.asked = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.asked += 1
        if self.asked <= self.deaf:
            return
        for junk in self.before:
            self.transport.sendto(junk, address)
        request = stun.parse_message(data)
        answer = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = (self.mapped, 4711)
        self.transport.sendto(bytes(answer), address)


@asynccontextmanager
async def running(responder):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: responder, local_addr=("127.0.0.1", 0))
    try:
        yield f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def test_the_address_is_what_the_server_sees():
    async with running(Responder()) as server:
        assert await query([server]) == "198.51.100.7"


async def test_a_lost_request_is_sent_again():
    responder = Responder(deaf=1)
    async with running(responder) as server:
        assert await query([server]) == "198.51.100.7"
    assert responder.asked == 2


async def test_what_is_no_answer_to_the_question_is_passed_over():
    other = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.RESPONSE)
    other.attributes["XOR-MAPPED-ADDRESS"] = ("6.6.6.6", 1)
    async with running(Responder(before=[b"", b"junk", bytes(other)])) as server:
        assert await query([server]) == "198.51.100.7"


async def test_an_address_that_is_none_is_passed_over():
    async with running(Responder(mapped="0.0.0.0")) as server:
        assert await query([server], time_limit=0.05) is None


async def test_silence_ends_with_the_time_limit_and_a_warning():
    async with running(Responder(deaf=100)) as server:
        assert await query([server], time_limit=0.05) is None


async def test_the_first_server_that_answers_is_enough():
    async with running(Responder(deaf=100)) as silent, running(Responder()) as server:
        assert await query([silent, "stun:127.0.0.1:1", server]) == "198.51.100.7"


async def test_a_server_whose_name_is_unknown_is_passed_over():
    assert await query(["stun:no-such-host.invalid:3478"], time_limit=5) is None


def test_the_public_address_comes_first_and_none_twice():
    assert advertise("198.51.100.7", ("10.0.0.1", "198.51.100.7")) == ("198.51.100.7", "10.0.0.1")
    assert advertise(None, ("10.0.0.1",)) == ("10.0.0.1",)
