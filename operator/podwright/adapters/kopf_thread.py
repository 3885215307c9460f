"""kopf beside the engine, in a thread with its own loop. Called by `entry`; the only module of that way to start which imports kopf.

Some errors of the API server end kopf's watchers or all of it, and must never end the engine.
"""

import asyncio
import logging
import threading
import time
from typing import Any, Final

import kopf

from podwright.adapters.frame import configure, connection
from podwright.kube.credentials import Credentials

_RESTART_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)


def supervise(credentials: Credentials, stop: threading.Event) -> None:
    """Run kopf until `stop` is set, again and again."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            _run_kopf(credentials, stop)
        except Exception as error:
            _log.warning("kopf ended and is started again: %s", error)
        if not stop.is_set() and time.monotonic() - began < _RESTART_PAUSE:
            stop.wait(_RESTART_PAUSE)


def _run_kopf(credentials: Credentials, stop: threading.Event) -> None:
    registry = kopf.OperatorRegistry()
    settings = kopf.OperatorSettings()
    configure(settings)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(credentials)

    with asyncio.Runner() as runner:
        runner.run(
            kopf.operator(registry=registry, settings=settings, standalone=True, clusterwide=True, stop_flag=stop)
        )
