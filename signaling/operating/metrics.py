"""The table of metrics behind `/metrics`: name, kind, labels and meaning.

Labels come from bounded sets only (direction, reason, kind, route template): never a room, a person or an address.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from signaling.version import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True)
class Definition:
    """One metric. The exposed name of a counter ends in `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


TABLE = {
    definition.name: definition
    for definition in (
        Definition("parley_build_info", "gauge", ("version",), "Always 1; the version is in the label."),
        Definition("parley_event_loop_lag_seconds", "gauge", (), "Lag of the event loop, averaged over about 2 s."),
        Definition("parley_media_packets_total", "counter", ("direction",), "Media packets received and sent."),
        Definition("parley_media_bytes_total", "counter", ("direction",), "Media bytes received and sent."),
        Definition("parley_media_dropped_packets_total", "counter", ("reason",), "Media packets dropped, by reason."),
        Definition("parley_media_events_total", "counter", ("kind",), "All other events that the SFU counts, by kind."),
        Definition("parley_listener_failures_total", "counter", (), "Room listeners detached because they raised."),
        Definition(
            "parley_media_objects", "gauge", ("kind",), "Current objects of the SFU: endpoints, rooms, streams."
        ),
        Definition(
            "parley_signaling_messages_total", "counter", ("direction",), "Signaling messages received and sent."
        ),
        Definition("parley_signaling_errors_total", "counter", ("reason",), "Errors sent to clients, by code."),
        Definition("parley_signaling_closed_sockets_total", "counter", ("reason",), "WebSockets closed, by code."),
        Definition(
            "parley_signaling_events_total",
            "counter",
            ("kind",),
            "Joins, joins refused by overload, resumes, sockets opened, failed authentications.",
        ),
        Definition(
            "parley_signaling_objects",
            "gauge",
            ("kind",),
            "Current objects of signaling: sockets, sessions over plain HTTP, sessions, participants, rooms.",
        ),
        Definition(
            "parley_storage_transactions_total",
            "counter",
            ("kind",),
            "History, audit and ban transactions: spooled to disk, written, refused by the database, damaged on disk.",
        ),
        Definition(
            "parley_storage_waiting",
            "gauge",
            ("kind",),
            "Data that waits for the database: transactions in memory, bytes on disk.",
        ),
        Definition("parley_webhook_attempts_total", "counter", ("result",), "Delivery attempts, by result."),
        Definition(
            "parley_webhook_losses_total", "counter", ("kind",), "Events given up and webhooks disabled by the server."
        ),
        Definition(
            "parley_webhook_lanes",
            "gauge",
            ("state",),
            "Deliveries in progress: rooms of a webhook that are getting an event now.",
        ),
        Definition("parley_http_requests_total", "counter", ("method", "route", "status"), "HTTP requests answered."),
        Definition(
            "parley_http_request_duration_seconds",
            "histogram",
            ("route",),
            "Time to answer an HTTP request, without WebSockets.",
        ),
        Definition("parley_process_cpu_seconds_total", "counter", (), "User and system CPU time of the process."),
        Definition("parley_process_max_fds", "gauge", (), "Maximum number of files that the process may open."),
        Definition("parley_process_open_fds", "gauge", (), "Files that the process has open."),
        Definition("parley_process_resident_memory_bytes", "gauge", (), "Resident memory of the process."),
        Definition("parley_process_start_time_seconds", "gauge", (), "Start time of the process, in Unix time."),
        Definition("parley_process_virtual_memory_bytes", "gauge", (), "Address space of the process."),
    )
}

_LAG = "loop_lag_seconds"
_FAILURES = "parley_listener_failures_total"
_DIRECTIONS = ("in", "out")

Counters = Callable[[], Mapping[str, int]]
Gauges = Callable[[], Mapping[str, float]]
Source = tuple[Counters, Gauges]
NOTHING: Source = (dict, dict)
"""The source of an absent part of the server."""


class Metrics:
    """The registry of one application, and the two metrics that HTTP itself feeds."""

    def __init__(self, media: Source, signaling: Source, storage: Source = NOTHING, webhooks: Source = NOTHING) -> None:
        # A rate does not need the time of creation, which doubles the number of lines.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Parley(media, signaling, storage, webhooks))
        ProcessCollector(namespace="parley", registry=self._registry)
        self._requests = Counter(
            "parley_http_requests",
            TABLE["parley_http_requests_total"].help,
            TABLE["parley_http_requests_total"].labels,
            registry=self._registry,
        )
        self._durations = Histogram(
            "parley_http_request_duration_seconds",
            TABLE["parley_http_request_duration_seconds"].help,
            TABLE["parley_http_request_duration_seconds"].labels,
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def request_answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one request. `route` is a template; `seconds` is None if the duration is meaningless."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        if seconds is not None:
            self._durations.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self._registry)


class _Parley(Collector):
    """Reads counters and gauges on each scrape, so that no value is counted twice or without a scrape."""

    def __init__(self, media: Source, signaling: Source, storage: Source, webhooks: Source) -> None:
        self._media = media
        self._signaling = signaling
        self._storage = storage
        self._webhooks = webhooks

    def collect(self) -> Iterator[Metric]:
        """Yield the current metric families."""
        yield _gauges("parley_build_info", {VERSION: 1.0})
        counters, gauges = self._media[0](), dict(self._media[1]())
        lag = GaugeMetricFamily("parley_event_loop_lag_seconds", TABLE["parley_event_loop_lag_seconds"].help)
        lag.add_metric((), gauges.pop(_LAG, 0.0))
        yield lag
        packets, counters = _take(counters, "packets_", _DIRECTIONS)
        octets, counters = _take(counters, "octets_", _DIRECTIONS)
        dropped, counters = _take(counters, "dropped_")
        yield _counters("parley_media_packets_total", packets)
        yield _counters("parley_media_bytes_total", octets)
        yield _counters("parley_media_dropped_packets_total", dropped)
        failures = CounterMetricFamily(_FAILURES, TABLE[_FAILURES].help)
        failures.add_metric((), counters.pop("listener_failures", 0))
        yield failures
        yield _counters("parley_media_events_total", counters)
        yield _gauges("parley_media_objects", gauges)
        counters = self._signaling[0]()
        messages, counters = _take(counters, "messages_", _DIRECTIONS)
        errors, counters = _take(counters, "errors_")
        closed, counters = _take(counters, "closed_")
        yield _counters("parley_signaling_messages_total", messages)
        yield _counters("parley_signaling_errors_total", errors)
        yield _counters("parley_signaling_closed_sockets_total", closed)
        yield _counters("parley_signaling_events_total", counters)
        yield _gauges("parley_signaling_objects", self._signaling[1]())
        yield _counters("parley_storage_transactions_total", self._storage[0]())
        yield _gauges("parley_storage_waiting", self._storage[1]())
        attempts, counters = _take(self._webhooks[0](), "attempts_")
        yield _counters("parley_webhook_attempts_total", attempts)
        yield _counters("parley_webhook_losses_total", counters)
        yield _gauges("parley_webhook_lanes", self._webhooks[1]())


def reference() -> str:
    """The table of docs/metrics.md."""
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in TABLE.values()
    ]
    return "\n".join(["| name | kind | labels | meaning |", "|---|---|---|---|", *rows])


def _take(
    counters: Mapping[str, int], prefix: str, only: tuple[str, ...] = ()
) -> tuple[dict[str, int], dict[str, int]]:
    """Split off the counters of one family, named by what follows the prefix."""
    taken: dict[str, int] = {}
    left: dict[str, int] = {}
    for key, value in counters.items():
        rest = key.removeprefix(prefix)
        if rest != key and (not only or rest in only):
            taken[rest] = value
        else:
            left[key] = value
    return taken, left


def _counters(name: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, TABLE[name].help, labels=TABLE[name].labels)
    for label, value in sorted(values.items()):
        family.add_metric((label,), value)
    return family


def _gauges(name: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, TABLE[name].help, labels=TABLE[name].labels)
    for label, value in sorted(values.items()):
        family.add_metric((label,), value)
    return family
