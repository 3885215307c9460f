"""An event loop whose time passes only while everybody sleeps, so that a minute of waiting costs nothing.

What takes long on a loaded machine takes no time here: what a test finds out of rates and delays is the same everywhere.
"""

import asyncio
import contextlib
import functools
import random
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, ParamSpec, TypeVar
from unittest.mock import patch

from podwright.kube.lease import LeaseElector
from podwright.kube.reflector import Reflector
from podwright.kube.server_clock import ServerClock
from podwright.runtime.sight import Sight

T = TypeVar("T")
P = ParamSpec("P")

_UNDER_WAY = 0.0005
"""Real seconds that what is on its way from one socket to another has to arrive before time passes."""
_NEVER = 5.0
"""The same where nothing else can happen."""
_WITH_CLOCKS: Final[tuple[Any, ...]] = (LeaseElector, Reflector, ServerClock, Sight)
_EPOCH = 1_800_000_000.0


class _Selector(selectors.DefaultSelector):
    """Turns the wait for the next timer into a jump to it."""

    def __init__(self, *, now: float, has_sockets: bool) -> None:
        super().__init__()
        self.now = now
        self._has_sockets = has_sockets

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and self._has_sockets and timeout != 0:
            ready = super().select(_NEVER if timeout is None else _UNDER_WAY)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that will never happen")
            self.now += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, *, now: float = 1000.0, has_sockets: bool = False) -> None:
        self._virtual = _Selector(now=now, has_sockets=has_sockets)
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run a scenario in virtual time; `asyncio.get_running_loop().time()` is its clock."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scenario)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a test of servers and clients in this process run in virtual time, which `time.time` and `time.monotonic` follow.

    What is drawn at random is the same each time.
    """

    @functools.wraps(test)
    def run_test(*args: P.args, **kwargs: P.kwargs) -> None:
        random.seed(1)
        loop = _Loop(now=time.monotonic(), has_sockets=True)
        with _clocks_of(loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test(*args, **kwargs))

    return run_test


@contextlib.contextmanager
def _clocks_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    since = _EPOCH - loop.time()

    def wall_clock() -> float:
        return since + loop.time()

    virtual = {time.monotonic: loop.time, time.time: wall_clock}
    with contextlib.ExitStack() as patches:
        for each in _WITH_CLOCKS:
            # What they are given unless they are told otherwise was looked up when they were defined.
            defaults: dict[str, Any] = each.__init__.__kwdefaults__
            patches.enter_context(patch.dict(defaults, {k: virtual[v] for k, v in defaults.items() if v in virtual}))
        patches.enter_context(patch("time.monotonic", loop.time))
        patches.enter_context(patch("time.time", wall_clock))
        yield
