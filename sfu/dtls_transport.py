"""aiortc's `RTCDtlsTransport` with SRTP sessions of our own (RFC 5764). `sfu/dtls.py` imports this module when needed.

Importing aiortc loads its whole media stack, FFmpeg included, which a start must not wait for. A contract test keeps
the underscore names of aiortc that are used here and in `sfu/dtls.py`.
"""

from typing import Any

from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, State

from sfu.srtp import PROFILES, SrtpContext, derive_keys

_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"


class Transport(RTCDtlsTransport):
    """One DTLS transport. `context` holds the SRTP sessions once the handshake has succeeded."""

    context: SrtpContext | None = None

    async def shake_hands(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Run the handshake with a peer whose certificate has one of these (hash, value) fingerprints (RFC 8122)."""
        self._set_role("server" if server else "client")
        await self.start(
            RTCDtlsParameters([RTCDtlsFingerprint(algorithm=name, value=value) for name, value in fingerprints])
        )

    def _setup_srtp(self) -> None:
        """Make our sessions from the exported keys (RFC 5764 section 4.2); fail without a common profile."""
        connection: Any = self._ssl
        profile = PROFILES.get(connection.get_selected_srtp_profile().decode())
        if profile is None:
            self._set_state(State.FAILED)
            return
        size = 2 * (profile.key_length + profile.salt_length)
        material = connection.export_keying_material(_EXPORTER_LABEL, size)
        self.context = SrtpContext(profile, *derive_keys(material, profile, server=self._role == "server"))
