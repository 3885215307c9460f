"""The places for reads of single objects: a bounded number at once, so that doubts about many don't crowd out all else."""

import asyncio
from collections.abc import Coroutine


class ReadPlaces:
    """Runs reads in the background; they must not raise."""

    def __init__(self, *, at_once: int = 32) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, reading: Coroutine[None, None, None]) -> None:
        """Run a read once there is a place for it."""

        async def run() -> None:
            async with self._places:
                await reading

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
