"""Beside poisons: 100 jobs of another namespace, through 5 kills, in 512 MiB, as fast as without them; no Lease is lost."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import pytest

from podwright.devcluster import ClusterSpec, EmbeddedCluster
from tests.bench.processes import Meter
from tests.cluster.api import Api
from tests.cluster.conftest import REPOSITORY, new_namespace
from tests.cluster.poison.good_jobs import Operators, burst
from tests.cluster.poison.memory import memory_group, why_not
from tests.cluster.poison.poisons import POISONS, Attacker
from tests.cluster.shared import install
from tests.support.operators import operator_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_MIB: Final = 512
"""What the Deployment allows the operator."""
KILLS: Final = 5
JOBS: Final = 20
"""Good jobs around each kill: 100 in all, and as many without the poison, through as many kills."""

pytestmark = [pytest.mark.skipif(why_not() is not None, reason=why_not() or "")]


FULL: Final = 0.9
"""Least part of the undisturbed rate beside each attack in full.

Not always met yet. Of L4, 0.72 to 0.89 were measured: what is missing is the list after each kill, 40 MB, for which the API server needs
0.2 to 0.5 s of CPU and the operator 0.2 s before it leads. Of S4, 0.58 to 0.85: the same, and the second after the attack, in which all
its jobs are seen for the first time. Of the 500 bad jobs, 0.80 and more than 1, as bursts on a busy host vary.
"""
SMALL: Final = 0.1
"""Size of the attacks, all at once, beside which the good jobs keep a third of their rate for certain, while other tests use the
same cores."""


@pytest.mark.timeout(300)
def test_others_go_on(tmp_path: Path) -> None:
    """How much exactly of their rate the others keep is the matter of the test below."""
    ratio = beside(*POISONS, directory=tmp_path, scale=SMALL)
    assert ratio >= 1 / 3, f"the good jobs had {ratio:.2f} of their undisturbed rate"


@pytest.mark.bench
@pytest.mark.timeout(900)
@pytest.mark.parametrize("poison", POISONS)
def test_others_keep_their_rate(poison: str, tmp_path: Path) -> None:
    """The attacks in full, on a machine that does nothing else."""
    ratio = beside(poison, directory=tmp_path, scale=1.0)
    assert ratio >= FULL, f"the good jobs had {ratio:.2f} of their undisturbed rate"


def beside(*poisons: str, directory: Path, scale: float) -> float:
    """Return the rate of good jobs beside poisons, as a part of their rate without them; fail on anything worse than slow.

    Each poison has a namespace of its own.
    """
    names = ", ".join(poisons)
    spec = ClusterSpec(owned=True, fake_node_count=2, fsync=False)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(EmbeddedCluster.start(spec))
        install(cluster, REPOSITORY / "manifests")
        api = Api.of(cluster)
        stack.callback(api.connection.close)
        group = stack.enter_context(memory_group(limit_mib=LIMIT_MIB))
        kubeconfig = operator_kubeconfig(cluster, directory / "kubeconfig")
        operators = Operators(api, kubeconfig=kubeconfig, group=group, directory=directory)
        stack.enter_context(operators.until_the_end())
        good = stack.enter_context(new_namespace(api))

        def seconds(name: str) -> float:
            """Return the seconds of all bursts: one that is slow counts, whether beside a poison or not."""
            meter = Meter({name: record.pid for name, record in cluster.processes.items()})
            took = [
                burst(
                    api,
                    good,
                    name=f"{name}-{number}",
                    count=JOBS,
                    operators=operators,
                    disturb=operators.kill_and_restart,
                )
                for number in range(KILLS)
            ]
            busy = {name: round(used / sum(took), 2) for name, used in meter.cpu().items()}
            print(f"{names}: {name}: {[round(each, 2) for each in took]} s; cores in use: {busy}")  # noqa: T201 - shown with a failure
            return sum(took)

        operators.start()
        operators.wait_until_leading()
        first = operators.epoch()
        undisturbed = seconds("undisturbed")
        for poison in poisons:
            undo = POISONS[poison](Attacker(cluster, stack.enter_context(new_namespace(api)), scale=scale))
            if undo is not None:
                stack.callback(undo)
        operators.require_running()
        disturbed = seconds("disturbed")
        operators.require_running()
        print(f"{names}: at most {group.highest_mib:.0f} MiB")  # noqa: T201 - shown with a failure
        assert group.kills == 0, f"{group.kills} processes were killed for want of memory"
        assert operators.epoch() - first <= operators.starts - 1, "the Lease was lost and taken again"
        return undisturbed / disturbed
