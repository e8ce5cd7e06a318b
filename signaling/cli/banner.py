"""The output of a start: the server's addresses, how to join, and warnings. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from signaling.http.app_keys import Media
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens
from signaling.settings.settings import Settings, warnings_about
from signaling.version import VERSION


@dataclass(frozen=True)
class StartReport:
    """The facts of a started server. `join_link` and `token` are there with `--dev` only."""

    url: str
    http_port: int
    media_port: int
    advertised: tuple[str, ...]
    dev: bool
    join_link: str = ""
    token: str = ""
    warnings: tuple[str, ...] = ()
    version: str = field(default=VERSION)

    def as_json(self) -> dict[str, Any]:
        """For `--json`: one object, empty values left out."""
        return {"event": "started", **{name: value for name, value in asdict(self).items() if value not in ("", ())}}

    def as_text(self) -> str:
        """For people."""
        lines = [f"Parley {self.version}" + ("  (dev: this machine only)" if self.dev else ""), ""]
        rows = [("Open", self.join_link or self.url), ("Admin", f"{self.url}admin"), ("API", f"{self.url}docs")]
        if self.token:
            rows.append(("Token", self.token))
        rows.append(("HTTP", f"TCP port {self.http_port}"))
        rows.append(("Media", f"UDP port {self.media_port}, advertised as {', '.join(self.advertised) or 'nothing'}"))
        if not self.dev:
            rows.append(("Invite", "parley token create --room lobby --identity NAME"))
        lines += [f"  {name:<8}{value}" for name, value in rows]
        lines += ["", *(f"  ! {warning}" for warning in self.warnings)] if self.warnings else []
        lines += ["", "  Ctrl-C stops the server."]
        return "\n".join(lines)


def page_url(host: str, port: int, *, tls: bool) -> str:
    """The address of the page; the port is left out where it is the scheme's own."""
    scheme, own = ("https", 443) if tls else ("http", 80)
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}/" if port == own else f"{scheme}://{name}:{port}/"


def join_link(url: str, room: str, token: str = "") -> str:
    """A link that opens the room. What is secret stands in the fragment, which browsers do not send."""
    return f"{url}#room={room}" + (f"&token={token}" if token else "")


def shown_host(host: str, advertised: Sequence[str], *, loopback: bool) -> str:
    """Return the host name to print: the configured one, else localhost, else the first advertised address."""
    if loopback:
        return "localhost" if host in ("", "localhost") else host
    if host and host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return host
    return next(iter(advertised), "localhost")


DEV_TOKEN_LIFE = timedelta(hours=12)


def dev_token(tokens: Tokens, room: str, utc: datetime) -> str:
    """The token that `--dev` prints: for scripts, as the page gets its own."""
    return tokens.issue("dev-terminal", grants=Grants.for_room(room), utc=utc, lifetime=DEV_TOKEN_LIFE, name="Terminal")


def start_report(settings: Settings, media: Media, http_port: int, *, room: str, token: str = "") -> StartReport:
    """What to print once the server can be used."""
    host = shown_host(settings.host, media.advertised, loopback=settings.loopback_only)
    url = page_url(host, http_port, tls=settings.tls)
    warnings = warnings_about(settings)
    if settings.trusted_proxies and not settings.loopback_only and not settings.tls:
        warnings.append("The trusted proxy must serve HTTPS; block all other access to this port.")
    return StartReport(
        url=url,
        http_port=http_port,
        media_port=media.port,
        advertised=media.advertised,
        dev=settings.dev,
        join_link=join_link(url, room) if settings.dev else "",
        token=token,
        warnings=tuple(warnings),
    )
