import asyncio

import pytest

from tests.support.background import Background


def test_it_gives_the_result_and_what_was_raised() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def fail() -> None:
        raise ValueError("no")

    with Background() as background:
        assert background.run(work()) == 7
        with pytest.raises(ValueError, match="no"):
            background.run(fail())


def test_a_task_that_is_left_behind_fails_the_test() -> None:
    async def leave() -> None:
        background.left = asyncio.get_running_loop().create_task(asyncio.Event().wait())  # type: ignore[attr-defined]

    with pytest.raises(AssertionError, match="left behind"), Background() as background:
        background.run(leave())


def test_what_nobody_took_fails_the_test() -> None:
    async def report() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "lost"})

    with pytest.raises(AssertionError, match="lost"), Background() as background:
        background.run(report())
