"""An event loop whose time passes only while everybody sleeps, so that a minute of waiting costs nothing."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Turns the wait for the next timer into a jump to it."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that will never happen")
            self.now += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario in virtual time; `asyncio.get_running_loop().time()` is its clock."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scenario)
