import resource
import socket
from datetime import UTC, datetime

import pytest

from signaling.cli import doctor
from signaling.cli.doctor import (
    FILES_WANTED,
    SOCKET_BUFFER,
    Finding,
    advertised_findings,
    as_json,
    as_text,
    buffer_findings,
    clock_finding,
    exit_code,
    files_finding,
    processor_finding,
    secure_context_finding,
)
from tests.signaling.serving import settings_for

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def states(findings):
    return [(finding.name, finding.state) for finding in findings]


def test_everything_is_looked_at_and_each_trouble_has_a_remedy(tmp_path):
    findings = doctor.examine(settings_for(tmp_path, media_port=0))
    names = " ".join(finding.name for finding in findings)
    for part in ("media port", "HTTP port", "advertised", "clock", "rmem_max", "wmem_max", "open files", "processor"):
        assert part in names
    assert all(finding.remedy for finding in findings if finding.state != "ok")


def test_taken_ports_are_problems(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media, socket.create_server(("127.0.0.1", 0)) as http:
        media.bind(("127.0.0.1", 0))
        settings = settings_for(
            tmp_path, media_port=media.getsockname()[1], media_bind=["127.0.0.1"], port=http.getsockname()[1]
        )
        findings = doctor.examine(settings)
    problems = [finding for finding in findings if finding.state == "problem"]
    assert len(problems) == 2
    assert "ss -lunp" in problems[0].remedy
    assert "ss -ltnp" in problems[1].remedy
    assert exit_code(findings) == 1


def test_ipv6_that_is_missing_is_only_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_try_bind", lambda family, *_: "no" if family == socket.AF_INET6 else "")
    assert [state for _, state in states(doctor._media_port(settings_for(tmp_path)))] == ["ok", "warning"]


def test_an_address_given_in_the_settings_is_what_is_advertised(tmp_path):
    settings = settings_for(tmp_path, public_address="8.8.8.8", media_advertise=["10.0.0.1"])
    assert doctor._advertised(settings) == ("8.8.8.8", "10.0.0.1")


@pytest.mark.parametrize(
    ("addresses", "public", "expected"),
    [
        ((), "", ["warning"]),
        (("127.0.0.1", "::1"), "", ["warning"]),
        (("10.0.0.5",), "", ["warning"]),
        (("10.0.0.5",), "auto", ["ok"]),
        (("8.8.8.8", "10.0.0.5"), "8.8.8.8", ["ok"]),
        (("8.8.8.8", "172.17.0.1"), "", ["ok", "warning"]),
        (("2a00:1450::1",), "", ["ok", "warning"]),
    ],
)
def test_advertised_addresses(addresses, public, expected):
    assert [finding.state for finding in advertised_findings(addresses, public=public)] == expected


def test_a_clock_before_the_release_is_a_problem():
    assert clock_finding(datetime(2020, 1, 1, tzinfo=UTC), 0.0, None).state == "problem"
    assert clock_finding(NOW, 0.2, True).state == "warning"
    assert clock_finding(NOW, 0.0, False).state == "warning"
    assert clock_finding(NOW, 0.001, None).state == "ok"
    assert "synchronised" in clock_finding(NOW, 0.0, True).seen


def test_small_socket_buffers_are_a_warning_with_the_line_to_type():
    small, unseen = buffer_findings(SOCKET_BUFFER - 1, None)
    assert small.state == "warning"
    assert f"sysctl -w net.core.rmem_max={SOCKET_BUFFER}" in small.remedy
    assert unseen.state == "ok"
    assert [finding.state for finding in buffer_findings(SOCKET_BUFFER, SOCKET_BUFFER)] == ["ok", "ok"]


def test_files():
    assert files_finding(FILES_WANTED - 1).state == "warning"
    assert files_finding(FILES_WANTED).state == "ok"
    assert files_finding(resource.RLIM_INFINITY).seen == "no limit"


def test_processor():
    assert processor_finding(2, frozenset({"sse"}), "x86_64").state == "warning"
    assert "AES" in processor_finding(2, frozenset({"aes"}), "x86_64").seen
    assert processor_finding(2, frozenset(), "arm").state == "ok"


def test_secure_page(tmp_path):
    assert secure_context_finding(settings_for(tmp_path)).state == "ok"
    assert secure_context_finding(settings_for(tmp_path, host="")).state == "warning"
    assert "proxy" in secure_context_finding(settings_for(tmp_path, host="", trusted_proxies=["10.0.0.1"])).seen
    tls = settings_for(tmp_path, host="", tls_certificate="a", tls_key="b")
    assert "HTTPS" in secure_context_finding(tls).seen


def test_what_cannot_be_read_is_no_trouble(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_PROC", tmp_path)
    assert doctor._kernel_number("rmem_max") is None
    assert doctor._processor_flags() == frozenset()
    (tmp_path / "cpuinfo").write_text("model: x\n")
    assert doctor._processor_flags() == frozenset()
    (tmp_path / "cpuinfo").write_text("Features\t: fp aes pmull\n")
    assert doctor._processor_flags() == {"fp", "aes", "pmull"}


@pytest.mark.parametrize(("said", "state"), [("yes", True), ("no", False), ("what", None)])
def test_the_state_of_time_synchronisation(tmp_path, monkeypatch, said, state):
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert doctor._ntp_state() is state


def test_without_systemd_it_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor._ntp_state() is None


def test_both_forms_say_the_same():
    findings = [Finding("a", "ok", "fine"), Finding("b", "problem", "broken", "mend it")]
    assert "PROBLEM  b: broken\n         -> mend it" in as_text(findings)
    assert as_json(findings)["ok"] is False
    assert as_json(findings)["findings"][1]["remedy"] == "mend it"
    assert exit_code(findings[:1]) == 0
