"""An event loop in a thread of its own, for tests that must not be asynchronous: Playwright's have the main thread."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.patience import PATIENCE

Result = TypeVar("Result")


class Background:
    """Runs coroutines elsewhere and waits for them. As a context manager it ends its thread and leaves no task behind.

    Whatever reaches the loop's exception handler fails the test at the end.
    """

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.reports.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever, name="background", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self.run(self._cancel_all())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if kind is None:
            assert not left, f"tasks left behind: {left}"
            assert not self.reports, f"the event loop reported: {self.reports}"

    def run(self, work: Coroutine[Any, Any, Result], within: float = 3 * PATIENCE) -> Result:
        """The result of `work`, which may wait for things in turn, or what it raised. TimeoutError after `within` s."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    async def _cancel_all(self) -> list[str]:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            # What was told to end may need a moment.
            left = (await asyncio.wait(left, timeout=0.5))[1]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return [repr(task) for task in left]
