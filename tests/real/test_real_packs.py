"""Pods as the operator makes them, in real containers of an image that holds nothing but busybox.

Here the kubelet expands the arguments, the runner is process 1, and the report comes back through the API.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from podwright.core.attempt.termination_message import ended_for_lack_of_progress
from podwright.core.job.pack.report import PackReport, parse_report
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.pod.template import build_pod
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.spec import ClusterSpec, NodeKind
from tests.support.builders import make_job
from tests.support.real_nodes import NEEDS_REAL_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [*NEEDS_REAL_NODES]

RESTRICTED = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
ITEMS = ("plain", 'it\'s "$HOME" $(id) $$', "line\nline", "-n", "ü→日本", "$(POD)")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    directory = tmp_path_factory.mktemp("real") / "cluster"
    spec = ClusterSpec(data_directory=directory, owned=True, nodes=NodeKind.REAL, fsync=False)
    with EmbeddedCluster.start(spec) as started:
        yield started


def create(
    cluster: EmbeddedCluster,
    name: str,
    script: str,
    *,
    tasks: IndexSet = EMPTY,
    items: tuple[str, ...] = (),
    parallelism: int = 1,
    container: dict[str, Any] | None = None,
    **job: Any,
) -> None:
    """Create a pod as the operator would, but with its own name, and with nobody to account for it."""
    main = {"name": "main", "image": "busybox:1", "command": ["sh", "-c", script.replace("$", "$$")]}
    spec = {"terminationGracePeriodSeconds": 20, "containers": [main | (container or {})]}
    view = make_job(
        template=msgspec.json.encode({"spec": spec}),
        array=ArraySpec(size=1000, tasks=IndexSet.up_to(1000), items=items, pack_parallelism=parallelism),
        **job,
    )
    attempt = AttemptPod(task_index=0, attempt=0, tasks=tasks)
    pod = msgspec.json.decode(build_pod(job=view, name=name, attempt=attempt, shard=0, epoch=0))
    del pod["metadata"]["ownerReferences"]
    pod["metadata"]["finalizers"] = ["podwright.dev/test"]
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


def until(look: Callable[[], Any], *, seconds: float = 40.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return found


def status(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))["status"]
    return found


def terminated(cluster: EmbeddedCluster, name: str) -> dict[str, Any]:
    until(lambda: status(cluster, name)["phase"] in {"Succeeded", "Failed"})
    found: dict[str, Any] = status(cluster, name)["containerStatuses"][0]["state"]["terminated"]
    return found


def report(cluster: EmbeddedCluster, name: str, tasks: IndexSet) -> tuple[int, PackReport]:
    end = terminated(cluster, name)
    return end["exitCode"], parse_report(end["message"], tasks=tasks)


def running(cluster: EmbeddedCluster, name: str) -> None:
    until(lambda: status(cluster, name)["phase"] == "Running")


def test_a_pack_without_any_rights_reports_each_task(cluster: EmbeddedCluster) -> None:
    tasks = IndexSet.parse("0-5")
    script = (
        'printf "<%s>" "$PODWRIGHT_TASK_INDEX" "$PODWRIGHT_TASK_ITEM" "$1"; [ $PODWRIGHT_TASK_INDEX != 4 ] || exit 9'
    )
    container = {
        "args": ["name", "$(POD)/$(PODWRIGHT_TASK_INDEX)/$(PODWRIGHT_TASK_ITEM)"],
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "securityContext": RESTRICTED | {"runAsUser": 65534, "runAsNonRoot": True},
    }
    create(cluster, "pack", script, tasks=tasks, items=ITEMS, container=container)
    code, found = report(cluster, "pack", tasks)
    assert (code, found.succeeded, found.failed) == (1, IndexSet.parse("0-3,5"), {9: IndexSet.parse("4")})
    log = cluster.kubectl("logs", "pack")
    for index, item in enumerate(ITEMS):
        assert f"<{index}><{item}><pack/{index}/{item}>" in log


def test_many_tasks_side_by_side(cluster: EmbeddedCluster) -> None:
    tasks = IndexSet.up_to(1000)
    create(cluster, "many", ":", tasks=tasks, parallelism=2, container={"command": ["true"]})
    assert report(cluster, "many", tasks) == (0, PackReport(succeeded=tasks))


def test_a_deleted_pack_tells_what_it_did_and_leaves_the_rest(cluster: EmbeddedCluster) -> None:
    tasks = IndexSet.up_to(6)
    create(cluster, "deleted", "[ $PODWRIGHT_TASK_INDEX != 3 ] || sleep 600; :", tasks=tasks)
    running(cluster, "deleted")
    until(lambda: "task 3 started" in cluster.kubectl("logs", "deleted"))
    begun = time.monotonic()
    cluster.kubectl("delete", "pod", "deleted", "--wait=false")
    code, found = report(cluster, "deleted", tasks)
    assert time.monotonic() - begun < 10
    assert (code, found.succeeded, found.unstarted) == (1, IndexSet.parse("0-2"), IndexSet.parse("4-5"))


def test_a_task_that_kills_all_it_can_costs_no_other_its_result(cluster: EmbeddedCluster) -> None:
    tasks = IndexSet.up_to(6)
    create(cluster, "killer", "[ $PODWRIGHT_TASK_INDEX != 3 ] || kill -KILL -1; :", tasks=tasks)
    code, found = report(cluster, "killer", tasks)
    assert (code, found.succeeded, found.unstarted) == (1, IndexSet.parse("0-2"), IndexSet.parse("4-5"))


def test_a_pack_whose_memory_runs_out_has_told_what_was_done(cluster: EmbeddedCluster) -> None:
    tasks = IndexSet.up_to(6)
    limits = {"resources": {"limits": {"memory": "24Mi"}}}
    create(cluster, "hungry", "[ $PODWRIGHT_TASK_INDEX != 3 ] || tail /dev/zero", tasks=tasks, container=limits)
    code, found = report(cluster, "hungry", tasks)
    assert code != 0
    assert IndexSet.parse("0-2") - found.succeeded == EMPTY
    assert 3 not in found.succeeded


def test_lack_of_progress_ends_a_container_and_is_told(cluster: EmbeddedCluster) -> None:
    alive = "for n in 1 2 3 4 5 6 7 8 9 10; do touch $PODWRIGHT_HEARTBEAT_FILE; sleep 1; done"
    secured = {"securityContext": RESTRICTED | {"runAsUser": 65534}}
    create(cluster, "alive", alive, progress_timeout=2.0, container=secured)
    create(cluster, "idle", "trap 'exit 7' TERM; sleep 600 & wait", progress_timeout=2.0, container=secured)
    create(
        cluster, "stuck", "[ $PODWRIGHT_TASK_INDEX = 0 ] || sleep 600", tasks=IndexSet.up_to(3), progress_timeout=2.0
    )
    idle, stuck = terminated(cluster, "idle"), terminated(cluster, "stuck")
    assert (idle["exitCode"], idle["message"]) == (7, "podwright: no progress for 2s\n")
    assert stuck["message"] == "podwright pack: started 2; succeeded 0; no progress.\n"
    assert ended_for_lack_of_progress(stuck["message"])
    assert terminated(cluster, "alive")["exitCode"] == 0
