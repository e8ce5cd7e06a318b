"""Fuzzing of the HTTP interface by its OpenAPI document: `python -m tests.fuzz.api --seconds 600 --database sqlite`.

Schemathesis makes requests that fit the document and ones that do not, and sends them to a real server, as operators of
whom each has limits of their own. What comes back must be documented: its status, its media type, its body; and
nothing may be a mistake of ours. Ends with 1 after a find; the same seed makes the same requests again.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from schemathesis import hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from signaling.api.openapi import document
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens
from tests.support.kept import database_url
from tests.support.patience import PATIENCE
from tests.support.postgres import PostgresServer
from tests.support.server import ServerProcess

SECRET = "Wq7-fuzz-of-one-machine-and-one-run-4Zt"
ROOMS = ("den", "hall")
OPERATORS = 400
"""Each route's own limit is on who asks, so that many ask."""
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
SETTINGS = {
    "PARLEY_JWT_SECRET": SECRET,
    "PARLEY_RATE_LIMIT_RPM": "1000000",
    "PARLEY_FAILED_AUTHS_PER_MINUTE": "10000",
    "PARLEY_JOINS_PER_MINUTE": "10000",
    "PARLEY_WEBHOOK_ALLOW_PRIVATE": "true",
}
schemathesis.serializer.alias(["application/sdp", "application/trickle-ice-sdpfrag"], "text/plain")
_NOWHERE = "http://127.0.0.1:9/hook"


@dataclass
class Outcome:
    """What one run has found. `answers` counts what came back, by method, path and status."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    finds: dict[str, str] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self.answers.values())

    def reached(self, statuses: range) -> set[str]:
        """The routes that gave such an answer."""
        return {label for label, status in self.answers if status in statuses}


class _Askers:
    """Operators, drawn by lot."""

    def __init__(self, seed: int) -> None:
        issuer, utc = Tokens(SECRET), datetime.now(UTC)
        self._tokens = [
            issuer.issue(f"ops-{number}", grants=Grants(), utc=utc, lifetime=timedelta(hours=12), role="operator")
            for number in range(OPERATORS)
        ]
        self._chance = random.Random(seed)

    def make_rooms(self, url: str) -> None:
        """Make the rooms that are asked for, unless an earlier round has."""
        for room in ROOMS:
            order = {"id": room, "name": room}
            bearer = {"Authorization": f"Bearer {self._tokens[0]}"}
            answer = requests.post(f"{url}/api/v1/rooms", json=order, headers=bearer, timeout=PATIENCE)
            if answer.status_code != 409:
                answer.raise_for_status()

    def change(self, case: Any) -> None:
        """Ask as one of them, mostly for a room that is there, and let webhooks go nowhere but to this machine."""
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {self._chance.choice(self._tokens)}"}
        if case.path.startswith("/api/v1/rooms/{id}") and case.method != "DELETE" and self._chance.random() < 0.7:
            case.path_parameters["id"] = self._chance.choice(ROOMS)
        if case.method == "PATCH" and self._chance.random() < 0.5:
            case.headers["If-Match"] = "*"
        if isinstance(case.body, dict) and _leaves_this_machine(case.body.get("url")):
            case.body = {**case.body, "url": _NOWHERE}


def _leaves_this_machine(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        return urlsplit(url).hostname not in (None, "127.0.0.1")
    except ValueError:
        return False


def fuzz(url: str, seed: int, examples: int, seconds: int, stateful: bool = True) -> Outcome:
    """Send requests until so many seconds are over, or `examples` of each kind for each route are done."""
    phases = {"examples": {}, "coverage": {}, "fuzzing": {}, "stateful": {"enabled": stateful}}
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "max-time": seconds,
            "base-url": url,
            "continue-on-failure": True,
            "request-timeout": 30,
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "phases": phases,
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
        }
    )
    schema = schemathesis.openapi.from_dict(document(), config=config)
    askers = _Askers(seed)
    askers.make_rooms(url)

    @schemathesis.hook
    def before_call(context: object, case: Any, kwargs: object) -> None:
        askers.change(case)

    outcome = Outcome()
    try:
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _count(outcome, event.recorder)
            elif isinstance(event, events.NonFatalError):
                outcome.finds.setdefault(f"{event.label}: {type(event.value).__name__}", str(event.value))
            elif isinstance(event, events.FatalError):
                raise event.exception
    finally:
        hooks.unregister(before_call)
    return outcome


def _count(outcome: Outcome, recorder: Any) -> None:
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is not None:
            outcome.answers[_label(recorder, case_id), interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                name = f"{_label(recorder, case_id)}: {failure.title}: {failure.message}"
                outcome.finds.setdefault(name, check.failure_info.code_sample)


def _label(recorder: Any, case_id: str) -> str:
    case = recorder.cases[case_id].value
    return f"{case.method.upper()} {case.operation.path}"


@contextmanager
def server(folder: Path, database: str = "sqlite") -> Iterator[ServerProcess]:
    """A real server whose limits are out of the way, on such a database, with some rooms."""
    with nullcontext() if database == "sqlite" else PostgresServer() as postgres:
        url = "" if postgres is None else database_url(database, postgres)
        with ServerProcess(folder, settings={**SETTINGS, "PARLEY_DATABASE_URL": url}) as running:
            yield running


def main() -> int:
    """Fuzz as told; 1 after a find."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.api", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--examples", type=int, default=300, help="requests of each kind for each route")
    asked = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-") as folder, server(Path(folder), asked.database) as running:
        outcome = fuzz(running.url, asked.seed, asked.examples, asked.seconds)
        for name, how in outcome.finds.items():
            print(f"{name}\n    {how}\n", file=sys.stderr, flush=True)
    done = len(outcome.reached(range(200, 300)))
    print(
        f"{asked.database}: {outcome.requests} requests, {done} routes did something, {len(outcome.finds)} finds;",
        end="",
    )
    print(f" {time.perf_counter() - began:.0f} s", flush=True)
    return 1 if outcome.finds else 0


if __name__ == "__main__":
    sys.exit(main())
