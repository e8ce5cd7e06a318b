"""The facts that the start says, gathered from what is running. Pure."""

from datetime import datetime, timedelta

from signaling.cli.banner import StartReport, join_link, page_url, shown_host
from signaling.http.app_keys import Media
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens
from signaling.settings.settings import Settings, warnings_about

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
        warnings.append("HTTPS is left to the trusted proxy; keep others away from this port.")
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
