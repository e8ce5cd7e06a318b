"""The public address of a machine behind NAT: one STUN query (RFC 8489) at start.

Only the address is queried: the media port must be forwarded unchanged. There is no query unless the operator asks.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import structlog

from sfu.errors import MalformedPacket

_log = structlog.get_logger("signaling.operating.public_address")
TIME_LIMIT = 2.0
_RESEND_SECONDS = 0.4
_TRANSACTION_BYTES = 12


async def query(servers: Sequence[str], *, time_limit: float = TIME_LIMIT) -> str | None:
    """Return the IPv4 address that the first answering server sees; None if none answers in `time_limit` seconds.

    `servers` are `stun:host:port`; all are queried in parallel. It is IPv4 because NAT applies to IPv4, and because
    the first candidate of an answer is an IPv4 address. Never raises for a network error.
    """
    asked = [asyncio.create_task(_ask(server)) for server in servers]
    try:
        async with asyncio.timeout(time_limit):
            for next_done in asyncio.as_completed(asked):
                if address := await next_done:
                    return address
    except TimeoutError:
        _log.warning("no_stun_answer", servers=list(servers), seconds=time_limit)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return None


def advertise(public: str | None, local: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses for answers: the public one first, then the local ones, without duplicates."""
    return tuple(dict.fromkeys((*((public,) if public else ()), *local)))


class _Asker(asyncio.DatagramProtocol):
    def __init__(self, transaction: bytes) -> None:
        self._transaction = transaction
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _address: object) -> None:
        mapped = _mapped_address(data, self._transaction)
        if mapped and not self.answer.done():
            self.answer.set_result(mapped)

    def error_received(self, exc: Exception) -> None:
        # A port that is refused now may belong to a server that is starting. The time limit decides.
        _log.debug("stun_query_error", reason=str(exc))


async def _ask(server: str) -> str | None:
    from sfu.stun import binding_query  # noqa: PLC0415 - only where a query is wanted

    host, _, port = server.removeprefix("stun:").rpartition(":")
    loop = asyncio.get_running_loop()
    transaction = os.urandom(_TRANSACTION_BYTES)
    request = binding_query(transaction)
    try:
        transport, asker = await loop.create_datagram_endpoint(
            lambda: _Asker(transaction), remote_addr=(host.strip("[]"), int(port)), family=socket.AF_INET
        )
    except OSError as error:
        _log.warning("stun_server_unreachable", server=server, reason=str(error))
        return None
    try:
        while True:
            transport.sendto(request)
            done, _ = await asyncio.wait([asker.answer], timeout=_RESEND_SECONDS)
            if done:
                return asker.answer.result()
    finally:
        transport.close()


def _mapped_address(data: bytes, transaction: bytes) -> str | None:
    from sfu.stun import read_mapped_address  # noqa: PLC0415 - only where a query is wanted

    try:
        address = ip_address(read_mapped_address(data, transaction).host)
    except MalformedPacket as error:
        _log.debug("stun_answer_malformed", reason=str(error))
        return None
    return None if address.is_unspecified or address.is_multicast else str(address)
