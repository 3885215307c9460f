"""The operator as a process of its own, as `podwright operator run` starts it.

The engine has the main thread; kopf runs beside it in a thread with its own loop, under a supervisor: some errors of the API
server end kopf's watchers or all of it, and must never end the engine.
"""

import asyncio
import logging
import signal
import threading
from typing import Final

from podwright.adapters.service import serve
from podwright.kube.credentials import Credentials
from podwright.runtime.settings import Settings
from podwright.runtime.turns import LoopTurns

_HEAD_START: Final = 2.0
"""Seconds before kopf is imported, which takes as long as all else: meanwhile the engine may have taken over what it has to lead."""
_LEAVE_TIME: Final = 3.0

_log = logging.getLogger(__name__)


def run_operator(*, credentials: Credentials, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises what `Operator.run` raises, and PortError."""
    stop_kopf = threading.Event()
    frame = threading.Thread(target=_run_kopf, args=(credentials, stop_kopf), name="kopf", daemon=True)
    frame.start()
    turns = LoopTurns()
    try:
        with asyncio.Runner(loop_factory=turns.new_loop) as runner:
            runner.run(_run(credentials=credentials, settings=settings, turns=turns))
    finally:
        stop_kopf.set()
        frame.join(timeout=_LEAVE_TIME)


async def _run(*, credentials: Credentials, settings: Settings, turns: LoopTurns) -> None:
    stop = asyncio.Event()

    def leave(name: str) -> None:
        _log.info("got %s: finishing what is under way and giving the Leases back", name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave, number.name)
    await serve(credentials=credentials, settings=settings, stop=stop, turns=turns)


def _run_kopf(credentials: Credentials, stop: threading.Event) -> None:
    if not stop.wait(_HEAD_START):
        from podwright.adapters.kopf_thread import supervise

        supervise(credentials, stop)
