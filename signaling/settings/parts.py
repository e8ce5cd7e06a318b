"""Settings of each part of the server, derived from the settings of the whole. Pure."""

from signaling.call.settings import CallSettings
from signaling.settings.settings import Settings
from signaling.storage.database import DatabaseSettings, choose_database


def database_settings(settings: Settings) -> DatabaseSettings:
    """The database that the settings name."""
    return choose_database(
        settings.database_url.get_secret_value(),
        settings.data_dir,
        pool_size=settings.database_pool_size,
        statement_seconds=settings.database_statement_timeout,
    )


def call_settings(settings: Settings) -> CallSettings:
    """Limits and times of sessions and rooms."""
    servers: tuple[dict[str, object], ...] = tuple({"urls": [server]} for server in settings.stun_servers)
    return CallSettings(
        slots=settings.slots,
        max_participants=settings.max_participants,
        duplicate_identity=settings.duplicate_identity,
        auto_create_rooms=settings.auto_create_rooms,
        ice_servers=servers,
        auth_seconds=settings.auth_timeout,
        seat_seconds=settings.seat_timeout,
        messages_per_second=settings.messages_per_second,
        message_burst=max(1, round(settings.messages_per_second * 2)),
        sockets_per_identity=settings.sockets_per_identity,
        joins_per_minute=settings.joins_per_minute,
        failed_auths_per_minute=settings.failed_auths_per_minute,
        close_grace_seconds=settings.shutdown_timeout,
        overload_lag_seconds=settings.overload_lag,
    )
