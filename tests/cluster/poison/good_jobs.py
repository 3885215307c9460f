"""Jobs of a namespace that does no harm, and how fast they finish while their operator is killed again and again."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from podwright.core.constants import names
from tests.cluster.manifests import make_job
from tests.support.operators import RUN, SYSTEM_NAMESPACE, started_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.api import Api
    from tests.cluster.poison.memory import MemoryGroup
    from tests.support.operators import OperatorProcess

_POLL_SECONDS: Final = 0.05


class Operators:
    """One operator after the other, in a group with limited memory, with exactly the shipped rights."""

    def __init__(self, api: Api, *, kubeconfig: Path, group: MemoryGroup, directory: Path) -> None:
        self._api = api
        self._kubeconfig = kubeconfig
        self._group = group
        self._directory = directory
        self._running = contextlib.ExitStack()
        self._present: OperatorProcess | None = None
        self.starts = 0

    @contextlib.contextmanager
    def until_the_end(self) -> Iterator[None]:
        """End whatever runs at the end of the block."""
        with self._running:
            yield

    def start(self) -> None:
        """Start one; it needs not lead yet."""
        self.starts += 1
        log = self._directory / f"operator-{self.starts}.log"
        command = self._group.command(RUN)
        self._present = self._running.enter_context(started_operator(self._kubeconfig, log, command=command))

    def kill_and_restart(self) -> None:
        """Do what `kill -9` and a Deployment do. The Lease of the dead is freed, as waiting for it to expire proves nothing."""
        self.require_running()
        assert self._present is not None
        self._present.kill()
        lease = names.lease_name(0)
        self._api.patch("Lease", SYSTEM_NAMESPACE, lease, {"spec": {"holderIdentity": ""}}).expect()
        self.start()

    def wait_until_leading(self) -> None:
        """Wait until the present one acts."""
        assert self._present is not None
        self._present.wait_until_leading()

    def require_running(self) -> None:
        """Fail, with its last words, if the present one has ended: nobody but the test may end it."""
        assert self._present is not None
        code = self._present.process.poll()
        assert code is None, (
            f"operator {self.starts} ended with {code}; {self._group.kills} processes were killed for want of memory;"
            f" its last words: {self._present.output[-3000:]}"
        )

    def epoch(self) -> int:
        """Return a number that grows by one when the Lease changes hands. More often than operators were started, one lost it."""
        spec = self._api.get("Lease", SYSTEM_NAMESPACE, names.lease_name(0)).expect()["spec"]
        return int(spec["leaseTransitions"])


def burst(
    api: Api, namespace: str, *, name: str, count: int, operators: Operators, disturb: Callable[[], None]
) -> float:
    """Submit jobs, do something, and return the seconds from the first submission until all have succeeded."""
    began = time.monotonic()
    for number in range(count):
        api.create(make_job(namespace=namespace, name=f"{name}-{number}")).expect()
    disturb()
    while True:
        items = api.list("BatchJob", namespace).expect()["items"]
        phases = [
            item.get("status", {}).get("phase", "") for item in items if item["metadata"]["name"].startswith(f"{name}-")
        ]
        if phases.count("Succeeded") == count:
            return time.monotonic() - began
        operators.require_running()
        assert not {"Failed", "DeadLettered", "Cancelled"} & set(phases), phases
        assert time.monotonic() - began < 90.0, f"{phases.count('Succeeded')} of {count} in 90 s"
        time.sleep(_POLL_SECONDS)
