"""The operator as a kopf module: `kopf run --standalone --all-namespaces -m podwright.adapters.kopf_operator`.

kopf has the main thread; Podwright's engine runs in a thread and a loop of its own, since kopf cancels whatever it finds in
its loop when it stops. Settings come from PODWRIGHT_* variables, the cluster from KUBECONFIG or the pod's service account.
The module registers handlers when it is imported and must be imported by kopf only.
"""

import asyncio
import logging
import os
from typing import Any

import kopf

from podwright.adapters.frame import configure, connection
from podwright.adapters.service import ServiceThread, settings_from_environment
from podwright.kube.credentials import load_credentials

_log = logging.getLogger(__name__)


@kopf.on.login()
async def login(**_: Any) -> kopf.ConnectionInfo:
    """Log kopf in as whoever the engine is."""
    return connection(await asyncio.to_thread(load_credentials))


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Start the engine."""
    configure(settings)
    credentials = await asyncio.to_thread(load_credentials)
    memo.podwright = ServiceThread(credentials=credentials, settings=settings_from_environment(), on_end=_ended)
    memo.podwright.start()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Let the engine leave in good order."""
    await asyncio.to_thread(memo.podwright.stop)


def _ended(problem: BaseException | None) -> None:
    if problem is None:
        return
    # kopf would go on without an engine, and would end with success: neither must happen.
    _log.critical("the operator ended: %s", problem)
    logging.shutdown()
    os._exit(1)
