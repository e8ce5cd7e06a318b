"""The short form of `python -m tests.fuzz.api`: a real server is sent what its own OpenAPI document makes one think of.

No answer is a mistake of ours, and each has a status, a media type and a body that the document names.
"""

from itertools import count
from pathlib import Path

from tests.fuzz import api

REQUESTS = 500
ROUTES_THAT_DO_SOMETHING = 20
"""Fewer, and most requests were refused at the door: nothing would have been fuzzed but that."""


def test_each_answer_is_a_documented_one(tmp_path: Path) -> None:
    """In rounds of ten seconds, each with another seed: one on a good machine, some more on a slow one."""
    requests, reached = 0, set()
    with api.server(tmp_path) as server:
        for seed in count(1):
            outcome = api.fuzz(server.url, seed=seed, examples=4, seconds=10, stateful=False)
            assert outcome.finds == {}
            requests += outcome.requests
            reached |= outcome.reached(range(200, 300))
            if requests > REQUESTS and len(reached) > ROUTES_THAT_DO_SOMETHING:
                break
