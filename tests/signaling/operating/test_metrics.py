import re
from pathlib import Path

from signaling.operating.metrics import TABLE, Metrics, reference

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
MEDIA = {
    "packets_in": 3,
    "packets_out": 4,
    "packets_out_failed": 1,
    "octets_in": 300,
    "dropped_replay": 2,
    "listener_failures": 1,
}
SIGNALING = {"messages_in": 7, "messages_out": 8, "errors_bad_message": 1, "closed_1001": 2, "joins": 5}


def exposed() -> str:
    metrics = Metrics(
        (lambda: MEDIA, lambda: {"loop_lag_seconds": 0.25, "rooms": 2}),
        (lambda: SIGNALING, lambda: {"sockets": 9.0}),
        (lambda: {"spooled": 4}, lambda: {"disk_bytes": 6.0}),
    )
    metrics.request_answered("GET", "/live", 200, 0.002)
    metrics.request_answered("BREW", "unmatched", 405, None)
    return metrics.exposition().decode()


def test_counters_and_gauges_have_bounded_labels():
    text = exposed()
    for line in (
        "parley_event_loop_lag_seconds 0.25",
        'parley_media_packets_total{direction="in"} 3.0',
        'parley_media_bytes_total{direction="in"} 300.0',
        'parley_media_dropped_packets_total{reason="replay"} 2.0',
        'parley_media_events_total{kind="packets_out_failed"} 1.0',
        "parley_listener_failures_total 1.0",
        'parley_media_objects{kind="rooms"} 2.0',
        'parley_signaling_messages_total{direction="out"} 8.0',
        'parley_signaling_errors_total{reason="bad_message"} 1.0',
        'parley_signaling_closed_sockets_total{reason="1001"} 2.0',
        'parley_signaling_events_total{kind="joins"} 5.0',
        'parley_signaling_objects{kind="sockets"} 9.0',
        'parley_storage_transactions_total{kind="spooled"} 4.0',
        'parley_storage_waiting{kind="disk_bytes"} 6.0',
        'parley_http_requests_total{method="GET",route="/live",status="200"} 1.0',
        'parley_http_requests_total{method="other",route="unmatched",status="405"} 1.0',
        'parley_http_request_duration_seconds_count{route="/live"} 1.0',
    ):
        assert line in text
    assert 'route="unmatched",le' not in text


def test_the_table_has_what_is_exposed_and_nothing_else():
    families = set(re.findall(r"^# TYPE (\S+) \S+$", exposed(), re.MULTILINE))
    assert families == set(TABLE)


def test_kinds_are_those_of_the_table():
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposed(), re.MULTILINE):
        assert TABLE[name].kind == kind


def test_every_metric_is_in_the_manual():
    assert reference() in DOCS.read_text(), "run python scripts/write_reference.py"
