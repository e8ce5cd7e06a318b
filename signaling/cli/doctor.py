"""`parley doctor`: checks the machine before participants use it, and suggests a remedy for each finding."""

import os
import platform
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, Literal

from sfu.settings import MediaSettings
from signaling.settings.settings import Settings

State = Literal["ok", "warning", "problem"]
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""No right clock says less: this version was made after it."""

SOCKET_BUFFER = MediaSettings().socket_buffer
"""Bytes that a media socket asks for: a burst must wait somewhere while the loop does other things."""

FILES_WANTED = 4096
_DOCKER_BRIDGES = ("172.17.", "172.18.", "172.19.")
_DRIFT_LIMIT = 0.05
_PROC = Path("/proc")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, what was seen, and what to do about it (empty where it is ok)."""

    name: str
    state: State
    seen: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which it matters. Takes about a tenth of a second and changes nothing."""
    checks: Sequence[Callable[[Settings], list[Finding]]] = (
        _media_port,
        _http_port,
        lambda chosen: advertised_findings(_advertised(chosen), public=chosen.public_address),
        lambda _: [clock_finding(datetime.now(UTC), _drift(), _ntp_state())],
        lambda _: buffer_findings(_kernel_number("rmem_max"), _kernel_number("wmem_max")),
        lambda _: [files_finding(resource.getrlimit(resource.RLIMIT_NOFILE)[0])],
        lambda _: [processor_finding(os.cpu_count() or 1, _processor_flags(), platform.machine())],
        lambda chosen: [secure_context_finding(chosen)],
    )
    return [finding for check in checks for finding in check(settings)]


def exit_code(findings: Sequence[Finding]) -> int:
    """0 when people can talk (warnings or not), 1 when a problem stands in the way."""
    return 1 if any(finding.state == "problem" for finding in findings) else 0


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """For `--json`."""
    return {"ok": exit_code(findings) == 0, "findings": [asdict(finding) for finding in findings]}


def as_text(findings: Sequence[Finding]) -> str:
    """For people."""
    marks = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]}  {finding.name}: {finding.seen}")
        if finding.remedy:
            lines.append(f"         -> {finding.remedy}")
    return "\n".join(lines)


def advertised_findings(addresses: Sequence[str], *, public: str = "") -> list[Finding]:
    """Check whether clients can reach the advertised addresses."""
    name = "advertised addresses"
    parsed = [ip_address(address) for address in addresses]
    shown = ", ".join(addresses) or "none"
    if not parsed or all(address.is_loopback for address in parsed):
        remedy = "Connect the machine to a network, or set media_advertise to the address that clients can reach."
        return [Finding(name, "warning", f"{shown}: only clients on this machine can connect", remedy)]
    findings = []
    if public == "auto":
        findings.append(Finding(name, "ok", f"{shown}, after the address that the STUN server reports at start"))
    elif not any(address.is_global for address in parsed):
        remedy = (
            "For clients on the internet, forward the media port (UDP) to this machine, and set public_address to the"
            " router's address, or to auto with a STUN server."
        )
        findings.append(
            Finding(name, "warning", f"{shown}: private, so only clients on this network can connect", remedy)
        )
    else:
        findings.append(Finding(name, "ok", shown))
    bridges = [address for address in addresses if address.startswith(_DOCKER_BRIDGES)]
    if bridges:
        remedy = "Set media_bind or media_advertise to the addresses that clients reach; this one costs them time."
        findings.append(Finding("container bridge", "warning", f"{', '.join(bridges)} looks like Docker's", remedy))
    if not any(isinstance(address, IPv4Address) for address in parsed):
        remedy = "Set public_address or media_advertise to an IPv4 address, if there is one."
        findings.append(
            Finding("IPv4", "warning", "the server advertises no IPv4 address; some clients have no IPv6", remedy)
        )
    return findings


def clock_finding(utc: datetime, drift: float, synchronised: bool | None) -> Finding:
    """Tokens have a beginning and an end: a clock that is wrong refuses them. `drift` is seconds lost in a second."""
    if utc < RELEASED:
        return Finding(
            "clock",
            "problem",
            f"the clock says {utc:%Y-%m-%d %H:%M} UTC, before the release of this version",
            "Set the clock: `timedatectl set-ntp true`, or install chrony.",
        )
    if abs(drift) > _DRIFT_LIMIT:
        return Finding(
            "clock",
            "warning",
            f"the clock is being adjusted ({drift:+.1%})",
            "Wait until time synchronisation has settled.",
        )
    if synchronised is False:
        return Finding(
            "clock",
            "warning",
            "the clock is not synchronised",
            "Turn synchronisation on: `timedatectl set-ntp true`, or install chrony.",
        )
    said = "synchronised" if synchronised else "plausible; the doctor cannot see whether the clock is synchronised"
    return Finding("clock", "ok", f"{utc:%Y-%m-%d %H:%M:%S} UTC, {said}")


def buffer_findings(receive: int | None, send: int | None) -> list[Finding]:
    """Whether the kernel grants the socket buffers that media asks for."""
    findings = []
    for name, value in (("net.core.rmem_max", receive), ("net.core.wmem_max", send)):
        if value is None:
            findings.append(Finding(name, "ok", "the doctor cannot read it here"))
        elif value < SOCKET_BUFFER:
            remedy = f"`sysctl -w {name}={SOCKET_BUFFER}`, and the same line in /etc/sysctl.d/ for the next start."
            findings.append(Finding(name, "warning", f"{value} bytes; a burst of packets may be lost", remedy))
        else:
            findings.append(Finding(name, "ok", f"{value} bytes"))
    return findings


def files_finding(limit: int) -> Finding:
    """Each WebSocket is an open file."""
    if limit != resource.RLIM_INFINITY and limit < FILES_WANTED:
        return Finding(
            "open files", "warning", f"at most {limit}", f"`ulimit -n {FILES_WANTED}`, or LimitNOFILE= in the service."
        )
    return Finding("open files", "ok", "no limit" if limit == resource.RLIM_INFINITY else f"at most {limit}")


def processor_finding(count: int, flags: frozenset[str], machine: str) -> Finding:
    """SRTP is AES all day long; without instructions for it a packet costs many times as much."""
    fast = bool(flags & {"aes", "pmull"})
    if flags and not fast:
        return Finding(
            "processor",
            "warning",
            f"{count} cores ({machine}) without AES instructions",
            "Expect far fewer participants for each core; in a virtual machine pass the host's CPU through.",
        )
    return Finding("processor", "ok", f"{count} cores ({machine})" + (", AES in hardware" if fast else ""))


def secure_context_finding(settings: Settings) -> Finding:
    """Browsers give the microphone to HTTPS and localhost only."""
    name = "secure page"
    if settings.tls:
        return Finding(name, "ok", "Parley serves HTTPS")
    if settings.loopback_only:
        return Finding(name, "ok", "localhost only: needs no HTTPS; for other machines see HTTPS in docs/operating.md")
    if settings.trusted_proxies:
        return Finding(name, "ok", "the trusted proxy must serve HTTPS")
    remedy = "Set tls_certificate and tls_key, or use a proxy with HTTPS and set trusted_proxies."
    return Finding(name, "warning", "plain HTTP: browsers do not allow the microphone", remedy)


def _media_port(settings: Settings) -> list[Finding]:
    families = ((socket.AF_INET, "0.0.0.0", "IPv4"), (socket.AF_INET6, "::", "IPv6"))  # noqa: S104 - only tried
    chosen = [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, address, address) for address in settings.media_bind
    ]
    findings = []
    for family, address, shown in chosen or families:
        error = _try_bind(family, socket.SOCK_DGRAM, address, settings.media_port)
        name = f"media port {settings.media_port}/udp, {shown}"
        if not error:
            findings.append(Finding(name, "ok", "can be bound"))
        elif shown == "IPv6":
            findings.append(Finding(name, "warning", error, "Only clients without IPv4 need it."))
        else:
            remedy = (
                f"`ss -lunp 'sport = :{settings.media_port}'` shows what uses it; or set media_port and media_bind."
            )
            findings.append(Finding(name, "problem", error, remedy))
    return findings


def _http_port(settings: Settings) -> list[Finding]:
    host = settings.http_hosts[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    error = _try_bind(family, socket.SOCK_STREAM, host, settings.port)
    name = f"HTTP port {settings.port}/tcp, {host}"
    if not error:
        return [Finding(name, "ok", "can be bound")]
    remedy = (
        f"`ss -ltnp 'sport = :{settings.port}'` shows what uses it (Parley itself, if it runs); or set port and host."
    )
    return [Finding(name, "problem", error, remedy)]


def _try_bind(family: int, kind: int, address: str, port: int) -> str:
    """An empty text if the address can be bound, else why not."""
    try:
        with socket.socket(family, kind) as one:
            if kind == socket.SOCK_STREAM:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address, port))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _advertised(settings: Settings) -> tuple[str, ...]:
    from sfu.addresses import local_addresses  # noqa: PLC0415 - not needed by other commands

    local = settings.media_advertise or settings.media_bind or local_addresses(loopback=settings.loopback_only)
    public = settings.public_address
    return tuple(dict.fromkeys((*((public,) if public not in ("", "auto") else ()), *local)))


def _drift() -> float:
    """Seconds that the wall clock gains on the monotonic one in each second, over a twentieth of a second."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    passed = time.monotonic() - steady
    return (time.time() - wall - passed) / passed


def _ntp_state() -> bool | None:
    """What systemd says about time synchronisation; None where it does not run."""
    try:
        answer = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607 - wherever it is installed
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(answer.stdout.strip())


def _kernel_number(name: str) -> int | None:
    try:
        return int((_PROC / "sys/net/core" / name).read_text())
    except (OSError, ValueError):
        return None


def _processor_flags() -> frozenset[str]:
    """The flags of the first core; empty where they cannot be read."""
    try:
        text = (_PROC / "cpuinfo").read_text()
    except OSError:
        return frozenset()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            return frozenset(value.split())
    return frozenset()
