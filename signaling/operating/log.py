"""Logs: one JSON object a line, or readable lines on a terminal; never SDP, tokens, passwords or ICE credentials.

Records of the standard library's logging (aiohttp, aiortc, asyncio) pass the same processors.
"""

import logging
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from time import monotonic
from typing import Any, TextIO

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError

REDACTED = "(removed)"
SECRET_KEYS = frozenset(
    {
        "sdp",
        "offer",
        "answer",
        "candidate",
        "token",
        "jwt",
        "secret",
        "password",
        "passwd",
        "pwd",
        "authorization",
        "cookie",
        "credential",
        "ufrag",
        "key",
    }
)
_SECRET_ENDINGS = ("_sdp", "_token", "_secret", "_password", "_pwd", "_credential", "_ufrag", "_key")
_SECRET_TEXT = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|v=0\r?\n.*|a=ice-(?:pwd|ufrag):\S+", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SOURCES = ("participant_id", "address", "room_id", "source", "logger")
_NEVER_HELD_BACK = frozenset({"audit"})
"""Events that are never rate limited here. Their causes are limited elsewhere."""

_MOST_SOURCES = 1024
_DEPTH = 4

EventDict = MutableMapping[str, Any]


class OneLineASecond:
    """Lets through one line a second for each event and source; the next one reports how many were dropped.

    A flooding client must not fill the disk. Memory is bounded: the oldest sources are forgotten.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """A structlog processor. Raises DropEvent for a line over the limit."""
        if event.get("event") in _NEVER_HELD_BACK:
            return event
        source = next((str(event[name]) for name in _SOURCES if name in event), "")
        key = (str(event.get("event", "")), source)
        now = self._clock()
        last, held_back = self._seen.get(key, (now - 1.0, 0))
        if now - last < 1.0:
            self._seen[key] = (last, held_back + 1)
            raise structlog.DropEvent
        self._seen[key] = (now, 0)
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_SOURCES:
            self._seen.popitem(last=False)
        if held_back:
            event["held_back"] = held_back
        return event


def remove_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor that removes values by key name, and texts that are a token or SDP."""
    for key, value in event.items():
        event[key] = REDACTED if _is_secret(key) else _clean(value, _DEPTH)
    return event


def escape_control(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor for terminals: no value can start a line or move the cursor."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
    return event


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error) from `level` on, as `json` or `console`; `auto`: by `stream`."""
    stream = stream or sys.stderr
    to_people = form == "console" or (form == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        remove_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if to_people
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if to_people:
        last.append(escape_control)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[OneLineASecond(), *last, renderer], use_get_message=True
        )
    )
    logging.getLogger("aiohttp.server").filters[:] = [_not_http]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("aioice", "aiortc", "aiohttp.access", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _not_http(record: logging.LogRecord) -> bool:
    """A filter for malformed HTTP, which is the client's mistake. aiohttp logs it as an error with a traceback.

    The line does not contain what was sent, which may be part of a header with a key.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args, record.exc_info = "not_http", (), None
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.reason = type(error).__name__
    return True


class _Handler(logging.StreamHandler[TextIO]):
    """A handler that accepts dropped lines, and survives lines that it cannot write."""

    lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except structlog.DropEvent:
            return
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        except (OSError, ValueError):
            # The reader has gone, or the disk is full. A failed log line must not end a call.
            self.lost += 1


def _to_json(value: Any, **_unused: Any) -> str:
    return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _is_secret(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return name in SECRET_KEYS or name.endswith(_SECRET_ENDINGS)


def _clean(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(REDACTED, value)
    if isinstance(value, dict) and depth:
        return {key: REDACTED if _is_secret(str(key)) else _clean(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and depth:
        return [_clean(inner, depth - 1) for inner in value]
    return value
