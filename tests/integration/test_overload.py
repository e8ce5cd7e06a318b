"""A server whose loop is stalled: newcomers are sent away for a while, and those who talk go on talking."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.client import ROOM, ServerRefused, VoiceClient
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

SHED = 'parley_signaling_events_total{kind="joins_shed"}'


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with the limit that it has by default; those of other tests are more patient."""
    with ServerProcess(tmp_path, settings={"PARLEY_OVERLOAD_LAG": "0.1"}) as server:
        yield server


def metric(server: ServerProcess, line: str) -> float:
    """The value of one line of `/metrics`."""
    with urlopen(f"{server.url}/metrics", timeout=PATIENCE) as answer:
        found = re.search(rf"^{re.escape(line)} (\S+)$", answer.read().decode(), re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def ask(server: ServerProcess, path: str, body: object, **headers: str) -> Request:
    """A POST of JSON."""
    return Request(f"{server.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


def token(server: ServerProcess) -> str:
    with urlopen(ask(server, "/dev/token", {"name": "plain", "room": ROOM}), timeout=PATIENCE) as answer:
        return str(json.loads(answer.read())["token"])


def refused_over_http(server: ServerProcess, bearer: str) -> tuple[int, str | None, str]:
    """Status, Retry-After and code of the answer to a join over plain HTTP."""
    with pytest.raises(HTTPError) as caught:
        urlopen(ask(server, f"/api/v1/rooms/{ROOM}/join", {}, Authorization=f"Bearer {bearer}"), timeout=PATIENCE)
    with caught.value as answer:
        return answer.code, answer.headers["Retry-After"], json.loads(answer.read())["code"]


async def refused_again(late: VoiceClient) -> bool:
    """Whether a join is still refused as one too many."""
    try:
        await late.request("join", room=ROOM)
    except ServerRefused as refused:
        if refused.code == "overloaded":
            return True
        raise
    return False


async def test_newcomers_are_refused_after_a_stall_and_taken_when_it_is_over(strict: ServerProcess) -> None:
    process = strict.process
    assert process is not None
    async with (
        VoiceClient(strict.url, name="Ana", frequency=440) as ana,
        VoiceClient(strict.url, name="Ben", frequency=700) as ben,
    ):
        await ana.heard(700)
        late = VoiceClient(strict.url, name="late")
        await late.open()
        bearer = token(strict)
        # A machine that is busy by itself may have had Ana and Ben try more than once.
        before = metric(strict, SHED)
        try:
            process.send_signal(signal.SIGSTOP)
            await ana.silent(700)  # a second at least, in which the loop does nothing
            process.send_signal(signal.SIGCONT)
            while metric(strict, "parley_event_loop_lag_seconds") <= 0.1:
                pass  # the loop has not come to its timers yet

            with pytest.raises(ServerRefused) as refused:
                await late.request("join", room=ROOM)
            assert refused.value.code == "overloaded"
            assert refused_over_http(strict, bearer) == (503, "5", "overloaded")
            assert metric(strict, "parley_event_loop_lag_seconds") > 0.1
            assert metric(strict, SHED) - before == 2
            await ana.heard(700)
            await ben.heard(440)

            tries = 2
            while await refused_again(late):
                tries += 1
                await ana.heard(700)
            assert metric(strict, "parley_event_loop_lag_seconds") <= 0.05
            assert metric(strict, SHED) - before == tries
            assert metric(strict, 'parley_signaling_events_total{kind="joins"}') == 3
            await ana.until(lambda: "late" in ana.participants(), "the newcomer is seen")
            assert not [one for one in ana.received + ben.received if one[0] in ("participant-left", "endpoint-gone")]
        finally:
            process.send_signal(signal.SIGCONT)
            await late.close()
