"""The short form of `python -m tests.fuzz.api`: a real server is sent what its own OpenAPI document makes one think of.

No answer is a mistake of ours, and each has a status, a media type and a body that the document names.
"""

from pathlib import Path

from tests.fuzz import api

ROUTES_THAT_DO_SOMETHING = 20
"""Fewer, and most requests were refused at the door: nothing would have been fuzzed but that."""


def test_each_answer_is_a_documented_one(tmp_path: Path) -> None:
    with api.server(tmp_path) as server:
        outcome = api.fuzz(server.url, seed=1, examples=4, seconds=30, stateful=False)
        assert outcome.finds == {}
        assert outcome.requests > 500
        assert len(outcome.reached(range(200, 300))) > ROUTES_THAT_DO_SOMETHING
