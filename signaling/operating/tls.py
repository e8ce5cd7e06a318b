"""HTTPS from certificate and key files that may be renewed while the server runs."""

import asyncio
import ssl
from pathlib import Path

import structlog

from signaling.errors import BadSettings

_log = structlog.get_logger("signaling.operating.tls")
POLL_SECONDS = 10.0

_Signature = tuple[tuple[int, int, int], ...]


def make_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's TLS context, 1.2 and up. Raises BadSettings if the files are missing, unreadable or no pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load(context, certificate, key)
    except OSError as error:  # ssl.SSLError is one too
        raise BadSettings(
            f"certificate {certificate} and key {key} cannot be used",
            getattr(error, "reason", None) or error.strerror or str(error),
            "Both must be PEM files that this user can read: the chain with the server's own certificate first,"
            " and the key that belongs to it, without a pass phrase.",
        ) from error
    return context


class CertificateWatcher:
    """Loads certificate and key again into the live context when a file changes.

    New connections get the new certificate, open ones continue. Files that do not match (a partly written
    renewal) leave the old certificate in place, and are checked again at the next poll.
    """

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        self._context = context
        self._certificate = certificate
        self._key = key
        self._seen = self._signature()

    def check(self) -> bool:
        """Check the files now. Return whether a new certificate is in use."""
        signature = self._signature()
        if signature == self._seen:
            return False
        try:
            # Load into a separate context first: a mismatched pair must not break the live one.
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._certificate, self._key)
            _load(self._context, self._certificate, self._key)
        except OSError as error:
            _log.warning("certificate_not_reloaded", certificate=str(self._certificate), reason=str(error))
            return False
        self._seen = signature
        _log.info("certificate_reloaded", certificate=str(self._certificate))
        return True

    async def run(self, interval: float = POLL_SECONDS) -> None:
        """Check every `interval` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.check()

    def _signature(self) -> _Signature:
        found = []
        for path in (self._certificate, self._key):
            try:
                status = path.stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    # A password callback keeps OpenSSL from asking on the terminal.
    context.load_cert_chain(certificate, key, password=_no_pass_phrase)


def _no_pass_phrase() -> str:
    return ""
