"""The operator as the bench runs it: a process of its own, with the rights of its service account and no more."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from podwright.core.accounting import Accounting
from podwright.core.constants import names
from tests.bench.errors import BenchError
from tests.bench.processes import require_running, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.rest import Rest

SYSTEM_NAMESPACE: Final = "podwright-system"
SERVICE_ACCOUNT: Final = "podwright-operator"
_LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{names.lease_name(0)}"


@contextlib.contextmanager
def operator(
    kubeconfig: Path,
    *,
    log: Path,
    identity: str,
    accounting: Accounting = Accounting.EXACT,
    environment: Mapping[str, str] | None = None,
    http_port: int = 0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run an operator while the block lasts, with default settings but for these."""
    arguments = ["operator", "run", f"--kubeconfig={kubeconfig}", f"--identity={identity}"]
    arguments += [
        "--http-host=127.0.0.1",
        f"--http-port={http_port}",
        "--log-level=warning",
        f"--accounting={accounting}",
    ]
    with running("podwright.cli.main", arguments, log=log, environment=environment) as process:
        yield process


async def until_leading(
    rest: Rest, process: subprocess.Popen[bytes], *, log: Path, identity: str, seconds: float = 60.0
) -> None:
    """Wait until the operator of that identity holds the Lease. Raises BenchError if it ends or `seconds` pass."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                require_running(process, log=log)
                answer = await rest.send("GET", _LEASE)
                if answer.code == 200 and (answer.body.get("spec") or {}).get("holderIdentity") == identity:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise BenchError(f"the operator didn't lead within {seconds:.0f} s; its log is {log}") from error
