"""The settings, and the only reader of the environment.

Precedence: flag, `PARLEY_*` variable, bare variable, YAML file, default. Read once at start, frozen, handed down.
What may be written in a value is in `setting_types`, where it may be written in `settings_sources`.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from signaling.errors import BadSettings, Refusal
from signaling.identity import signing_secrets
from signaling.identity.signing_secrets import SHORTEST, weakness
from signaling.settings.sources import (
    CONFIG_VARIABLE,
    UnknownName,
    Written,
    from_environment,
    from_flags,
    from_mapping,
    unused_variables,
)
from signaling.settings.types import (
    SHORTEST_DAYS,
    Addresses,
    Networks,
    Origins,
    PublicKeys,
    Seconds,
    StunServers,
    check_database_url,
    check_jwks_url,
    check_network,
    check_public_address,
    check_static,
)

SECRETS = frozenset({"jwt_secret", "database_url", "webhook_secret", "api_key"})
_PRIVATE = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_LOOPBACK_NAMES = ("localhost", "ip6-localhost")


class Settings(BaseModel):
    """Everything that an operator can choose. Built by `load_settings`; tests may build one from arguments."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    dev: bool = Field(
        False,
        description="Try Parley on this machine: loopback only, its own secret, tokens for every client that asks.",
    )
    host: str = Field("", description="Address for HTTP. Empty: all addresses; with `dev`: loopback.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port of HTTP and WebSocket; 0 chooses a free one.")
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate chain; reloaded when it changes."
    )
    tls_key: Path | None = Field(None, description="PEM file with the private key; reloaded when it changes.")
    allow_plain_http: bool = Field(
        False, description="Serve plain HTTP to other machines without a proxy. Browsers then allow no microphone."
    )
    trusted_proxies: Networks = Field(
        (), description="Networks of reverse proxies whose `X-Forwarded-*` and `Forwarded` headers are trusted."
    )
    allowed_origins: Origins = Field(
        (), description="Web origins, in addition to the server's own, whose pages may connect and call the API."
    )
    media_port: int = Field(7882, ge=0, le=65535, description="UDP port of all media; 0 chooses a free one.")
    media_bind: Addresses = Field((), description="Addresses for media. Empty: all addresses of this machine.")
    media_advertise: Addresses = Field(
        (), description="Media addresses sent to clients. Empty: the public address first, then the bound ones."
    )
    public_address: str = Field(
        "", description="Behind NAT: the public address of this machine; `auto` asks a STUN server."
    )
    stun_servers: StunServers = Field(
        (), description="STUN servers that the server sends to clients and uses for `public_address: auto`."
    )
    jwt_secret: SecretStr = Field(
        SecretStr(""),
        description=f"Signs tokens with HS256; {SHORTEST} bytes or more. Not needed with `dev` or with public keys.",
    )
    jwt_public_keys: PublicKeys = Field(
        (), description="PEM files with public keys of other token issuers (RSA, Ed25519): `path` or `kid=path`."
    )
    jwks_file: Path | None = Field(
        None, description="File with a JSON Web Key Set of another token issuer; the server reloads it when it changes."
    )
    jwks_url: str = Field(
        "", description="https URL of such a key set; the server fetches it at start and every `jwks_refresh`."
    )
    jwks_refresh: Seconds = Field(600.0, description="Interval between fetches of `jwks_url`.")
    jwks_least_interval: Seconds = Field(
        30.0, description="Minimum time between two fetches, however many tokens name an unknown key."
    )
    server_url: str = Field(
        "", description="URL of the running server for commands. Empty: this machine, at `port`.", max_length=2000
    )
    api_key: SecretStr = Field(
        SecretStr(""), description="API key or token that commands send. Empty: a token signed with the secret."
    )
    data_dir: Path = Field(Path("data"), description="Folder for the data of the server.")
    node_name: str = Field(
        "parley",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of this server in the call history; unique among servers that share a database.",
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="`postgresql://user:password@host/name`, or `sqlite:///path`. Empty: `parley.db` in `data_dir`.",
    )
    database_pool_size: int = Field(10, ge=1, le=500, description="Maximum number of connections to the database.")
    database_statement_timeout: Seconds = Field(
        5.0, description="Maximum time for one statement, for a lock, and to wait for a free connection."
    )
    slots: int = Field(8, ge=1, le=32, description="Maximum number of voices that a participant hears at once.")
    max_participants: int = Field(
        200, ge=1, le=10_000, description="Maximum number of participants in a room without its own limit."
    )
    duplicate_identity: Literal["kick_old", "reject_new"] = Field(
        "kick_old", description="Which session stays when an identity joins a room a second time."
    )
    auto_create_rooms: bool = Field(True, description="Whether a token can open an ad-hoc room (not in the database).")
    invite_guests: bool = Field(True, description="Whether an invite alone lets a guest in; else it needs a token too.")
    webhook_url: str = Field("", description="Webhook for every event, in addition to those added over the API.")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Signs what goes to `webhook_url`: `whsec_` and base64 of 24 to 64 bytes."
    )
    webhook_allow_private: bool = Field(
        False, description="Allow webhooks to private, loopback and link-local addresses, also over plain http."
    )
    webhook_timeout: Seconds = Field(15.0, description="Maximum time for a webhook's receiver to answer.")
    event_retention_days: int = Field(
        7, ge=SHORTEST_DAYS, le=365, description="Days for which the server stores events, delivered or not."
    )
    token_issuer: str = Field("", description="The `iss` that tokens must have. Empty: any.")
    token_audience: str = Field("", description="The `aud` that tokens must have. Empty: any.")
    rate_limit_rpm: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests a minute of one identity, API key or unauthenticated address; not pages and probes.",
    )
    messages_per_second: float = Field(
        50.0, gt=0, le=10_000, allow_inf_nan=False, description="Signaling messages a second of one session."
    )
    joins_per_minute: int = Field(10, ge=1, le=10_000, description="Joins a minute of one identity.")
    sockets_per_identity: int = Field(5, ge=1, le=1000, description="WebSockets of one identity at a time.")
    failed_auths_per_minute: int = Field(
        10, ge=1, le=10_000, description="Failed authentications a minute from one address."
    )
    overload_lag: Seconds = Field(
        0.1, description="Lag of the event loop above which the server refuses joins; current calls go on."
    )
    auth_timeout: Seconds = Field(5.0, description="Maximum time to authenticate on a new WebSocket.")
    seat_timeout: Seconds = Field(60.0, description="How long the server keeps the session after a lost connection.")
    read_timeout: Seconds = Field(10.0, description="Maximum time for a client to send a request, headers and body.")
    write_timeout: Seconds = Field(30.0, description="Maximum time for a client to read an answer.")
    shutdown_timeout: Seconds = Field(5.0, description="Maximum time for clients to disconnect when the server stops.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level of log lines.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="`json`: an object a line; `console`: readable; `auto`: `console` on a terminal, else `json`.",
    )
    metrics_enabled: bool = Field(True, description="Serve `/metrics`.")
    metrics_networks: Networks = Field(
        tuple(check_network(network) for network in _PRIVATE), description="Networks that may read `/metrics`."
    )

    @field_validator("log_level", "log_format", "duplicate_identity", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("jwks_url")
    @classmethod
    def _https(cls, value: str) -> str:
        return check_jwks_url(value)

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        check_database_url(value.get_secret_value())
        return value

    @field_validator("public_address")
    @classmethod
    def _address_or_auto(cls, value: str) -> str:
        return check_public_address(value)

    @property
    def http_hosts(self) -> tuple[str, ...]:
        """The addresses that HTTP listens on; IPv6 may be missing on a machine, so the first one must work."""
        if self.host:
            return (self.host,)
        return ("127.0.0.1", "::1") if self.dev else ("0.0.0.0", "::")  # noqa: S104 - the operator chose no address

    @property
    def loopback_only(self) -> bool:
        """HTTP can be reached from this machine only."""
        return all(_is_loopback(host) for host in self.http_hosts)

    @property
    def has_public_keys(self) -> bool:
        """Others issue tokens for this server, and it verifies them with public keys."""
        return bool(self.jwt_public_keys or self.jwks_file or self.jwks_url)

    @property
    def tls(self) -> bool:
        """HTTPS is served here, not by a proxy."""
        return self.tls_certificate is not None

    def masked(self) -> dict[str, Any]:
        """All settings as JSON values, secrets as `(set)` or `(not set)`."""
        values = self.model_dump(mode="json", exclude=set(SECRETS))
        for name in SECRETS:
            values[name] = "(set)" if getattr(self, name).get_secret_value() else "(not set)"
        return {name: values[name] for name in type(self).model_fields}


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
    serving: bool = True,
) -> Settings:
    """The settings of this process, checked. Raises BadSettings, which names key and value and the way out.

    Without `serving` only each value is checked, not whether a server may run with all of them.
    """
    environment = os.environ if environment is None else environment
    fields = list(Settings.model_fields)
    from_env, unknown = from_environment(environment, fields)
    written: dict[str, Written] = {}
    path = config or Path(environment.get(CONFIG_VARIABLE, ""))
    if path != Path():
        in_file, unknown_in_file = from_mapping(_read_yaml(path), fields, str(path))
        written |= in_file
        unknown += unknown_in_file
    from_command, unknown_flags = from_flags(flags or {}, fields)
    unknown += unknown_flags
    if unknown:
        raise _unknown(unknown)
    written |= from_env | from_command
    try:
        settings = Settings(**{name: one.value for name, one in written.items()})
    except ValidationError as error:
        raise _invalid(error, written) from None
    if serving:
        _check_safe(settings, written)
    return settings


def warnings_about(settings: Settings, environment: Mapping[str, str] | None = None) -> list[str]:
    """What works, and is still worth a line at start."""
    said = [
        f"{name} is set, but this version ignores it."
        for name in unused_variables(os.environ if environment is None else environment)
    ]
    if settings.has_public_keys and not (settings.token_issuer or settings.token_audience):
        said.append("The server accepts every token signed with those public keys: set token_audience or token_issuer.")
    if settings.allow_plain_http and not settings.tls:
        said.append("Plain HTTP: browsers allow the microphone only on pages of localhost or HTTPS.")
    return said


def secret_of(settings: Settings) -> str:
    """The signing secret: the one that was set; with `dev` or public keys, one kept in the data folder.

    Raises Refusal.
    """
    secret = settings.jwt_secret.get_secret_value()
    if secret or not (settings.dev or settings.has_public_keys):
        _check_secret(secret, "PARLEY_JWT_SECRET")
        return secret
    file_name = signing_secrets.FILE_NAME if settings.dev else signing_secrets.SIGNING_FILE_NAME
    try:
        return signing_secrets.read_or_make(settings.data_dir, file_name)
    except OSError as error:
        raise Refusal(
            f"the folder {settings.data_dir} cannot be used",
            f"{error.strerror or error}",
            "Make it writable for this user, or choose another with PARLEY_DATA_DIR or --data-dir.",
        ) from error


def _read_yaml(path: Path) -> Mapping[Any, Any]:
    import yaml  # noqa: PLC0415 - only where there is a file

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSettings(
            f"the settings file {path} cannot be read", f"{why}", f"Check --config and {CONFIG_VARIABLE}."
        ) from error
    except yaml.YAMLError as error:
        raise BadSettings(f"the settings file {path} is not YAML", str(error), "Correct that line.") from error
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise BadSettings(
            f"the settings file {path} does not contain settings",
            "its top level is not a mapping",
            "Write lines like `port: 8080`.",
        )
    return document


def _unknown(names: list[UnknownName]) -> BadSettings:
    what = "; ".join(f"{one.name} in {one.where} is not a setting" for one in names)
    near = [f"{one.nearest} instead of {one.name}" for one in names if one.nearest]
    return BadSettings(
        what,
        "the server does not ignore unknown settings, because a typo would go unnoticed",
        (f"Did you mean {', '.join(near)}? " if near else "Remove it. ") + "All settings are in docs/settings.md.",
    )


def _invalid(error: ValidationError, written: Mapping[str, Written]) -> BadSettings:
    parts = []
    for one in error.errors(include_url=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        origin = written.get(name)
        value = "(a secret)" if name in SECRETS else repr(origin.value if origin else one["input"])
        reason = one["msg"].removeprefix("Value error, ")
        parts.append((f"{name} = {value} ({origin.where if origin else 'default'}) is not valid", reason))
    return BadSettings("; ".join(what for what, _ in parts), "; ".join(why for _, why in parts), "Correct the value.")


def _check_safe(settings: Settings, written: Mapping[str, Written]) -> None:
    """Safe by default: what would leave a server open, or useless, is refused at start and not later."""
    if settings.jwks_file is not None and settings.jwks_url:
        raise BadSettings(
            "jwks_file and jwks_url are both set", "the server uses one key set only", "Remove one of them."
        )
    if "jwt_secret" in written or not (settings.dev or settings.has_public_keys):
        where = written["jwt_secret"].where if "jwt_secret" in written else "PARLEY_JWT_SECRET"
        _check_secret(settings.jwt_secret.get_secret_value(), where)
    check_static(
        settings.webhook_url, settings.webhook_secret.get_secret_value(), allow_private=settings.webhook_allow_private
    )
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        missing = "tls_key" if settings.tls_key is None else "tls_certificate"
        raise BadSettings(f"{missing} is missing", "HTTPS needs both a certificate and a key", f"Set {missing} too.")
    if settings.public_address == "auto" and not settings.stun_servers:
        raise BadSettings(
            "public_address = 'auto' is not valid",
            "there is no STUN server to ask",
            "Set stun_servers, or write the address itself.",
        )
    if settings.dev and not settings.loopback_only:
        raise BadSettings(
            f"host = {settings.host!r} is not valid with dev",
            "dev gives a token to every client that asks, so it listens on loopback only",
            "Remove host, or run without dev and with a secret.",
        )
    if not (settings.tls or settings.loopback_only or settings.trusted_proxies or settings.allow_plain_http):
        raise BadSettings(
            f"plain HTTP on {' and '.join(settings.http_hosts)} is refused",
            "tokens would cross the network unencrypted, and browsers do not allow the microphone on such a page",
            "Set tls_certificate and tls_key; or trusted_proxies, if a proxy serves HTTPS; or host: 127.0.0.1;"
            " or, if you accept these risks, allow_plain_http: true.",
        )


def _check_secret(secret: str, where: str) -> None:
    if reason := weakness(secret):
        raise BadSettings(
            f"the secret that signs tokens ({where}) is too weak",
            reason,
            "Make one with `openssl rand -base64 48` and set PARLEY_JWT_SECRET. To try things out: parley serve --dev.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK_NAMES
