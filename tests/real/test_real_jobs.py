"""BatchJobs on a real node, through the operator as it is shipped: what the kernel and the kubelet do is what status tells.

All jobs are submitted together, since most of their time is waiting; each test then waits for its own. Nothing here is pulled: the
node has a busybox and nothing else.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.demo.install import install
from podwright.cli.demo.operator_process import OperatorProcess
from podwright.core.values.index_set import IndexSet
from podwright.devcluster.embedded import EmbeddedCluster
from podwright.devcluster.spec import ClusterSpec, NodeKind
from tests.support.real_nodes import NEEDS_REAL_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

pytestmark = [*NEEDS_REAL_NODES]

NAMESPACE = "real-jobs"
QUICK = {"initial": "10ms", "max": "10ms"}
ONCE = {"limit": 0}
FIRST = '[ "$PODWRIGHT_ATTEMPT" = 0 ]'
HOSTILE = (
    "$(POD_NAME)", "$$(POD_NAME)", "$(id)", "${HOME}", "`id`", "'; exit 66; '", '"; exit 66; "', "%s%n\\n\\x00",
    "\x1b[31mred\x1b[0m", "\u202egnp.exe", "line\nline\r\n", "- yaml: {a: [&a *a]}", "!!python/object:os.system", "-n", "*",
    "\U0001f4a3" * 50 + "z\u0351\u0328", "<script>alert(1)</script>", "{{ .Values }} ${{ github }} #{x} <%= x %>", " ", "\t", "",
)  # fmt: skip


class Node:
    """The cluster, as the user who submits jobs sees it."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.cluster = cluster

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", NAMESPACE, *arguments, stdin=stdin)

    def submit(self, jobs: Mapping[str, Mapping[str, Any]]) -> None:
        items = [
            {
                "apiVersion": "podwright.dev/v1alpha1",
                "kind": "BatchJob",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": spec,
            }
            for name, spec in jobs.items()
        ]
        self.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def edit(self, name: str, **spec: Any) -> None:
        self.kubectl("patch", "batchjob", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "batchjob", name, "-o", "json"))["status"]
        return found

    def pods(self, name: str) -> list[dict[str, Any]]:
        answer = json.loads(self.kubectl("get", "pods", "-l", f"podwright.dev/job={name}", "-o", "json"))
        pods: list[dict[str, Any]] = answer["items"]
        return pods

    def wait_for(
        self, name: str, condition: Callable[[dict[str, Any]], bool], *, seconds: float = 60.0
    ) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while not condition(status := self.status(name)):
            assert time.monotonic() < until, json.dumps(status)[:3000]
            time.sleep(0.2)
        return status

    def over(self, name: str) -> dict[str, Any]:
        return self.wait_for(name, lambda status: "finishTime" in status)

    def outcome(self, name: str) -> tuple[str, str, list[tuple[Any, ...]]]:
        """Return how a job ended, and how its attempts did."""
        status = self.over(name)
        attempts = [(a["outcome"], a.get("reason"), a.get("exitCode")) for a in status.get("attempts", ())]
        return status["phase"], status["reason"], attempts

    def logs(self, name: str) -> str:
        return self.kubectl("logs", "-l", f"podwright.dev/job={name}", "--tail=-1", "--prefix=false")


def job(
    script: str, *, container: Mapping[str, Any] | None = None, pod: Mapping[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """Describe a job whose one container runs a script. The kubelet reads $$ as an escaped $."""
    main = {"name": "main", "image": "busybox:1", "command": ["sh", "-c", script.replace("$", "$$")]}
    pod_spec = {"terminationGracePeriodSeconds": 1, "containers": [main | dict(container or {})], **(pod or {})}
    return {"template": {"spec": pod_spec}, **spec}


def two(main: str, other: str, *, name: str, **spec: Any) -> dict[str, Any]:
    """Describe a job of two containers."""
    containers = [
        {"name": each, "image": "busybox:1", "command": ["sh", "-c", script]}
        for each, script in (("main", main), (name, other))
    ]
    return job("", pod={"containers": containers}, **spec)


def rules(*found: Mapping[str, Any]) -> dict[str, Any]:
    return {"rules": list(found)}


def on_codes(action: str, *codes: int) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"values": list(codes)}}


REPORT = {
    "outputs": {"rows": 3, "note": "\x1b[31m$(id)\u202e"},
    "artifacts": {"result": "s3://user:hidden@bucket/key?sig=1"},
}
BY_ENVIRONMENT = {"env": [{"name": "REPORT", "value": json.dumps(REPORT).replace("$", "$$")}]}
SHOW_ITEM = """printf '<%s:%s:%s>' "$PODWRIGHT_TASK_INDEX" "$PODWRIGHT_TASK_ITEM" "$1" """
ITEM_ARGUMENT = {
    "args": ["name", "$(PODWRIGHT_TASK_ITEM)"],
    "env": [{"name": "POD_NAME", "value": "expanded"}],
}
PACK_SCRIPT = f"""
if {FIRST}; then
  case $PODWRIGHT_TASK_INDEX in 5) exit 7 ;; 9) sleep 600 ;; 10) exit 42 ;; esac
fi
"""

JOBS: dict[str, dict[str, Any]] = {
    "zero": job('printf %s "$REPORT" > /dev/termination-log', container=BY_ENVIRONMENT),
    "three": job("echo 'no such row' > /dev/termination-log; exit 3", retry=ONCE),
    "three-twice": job("exit 3", retry={"limit": 1, **QUICK}),
    "ignored": job("exit 42", failurePolicy=rules(on_codes("Ignore", 42))),
    "other-code": job("exit 3", retry=ONCE, failurePolicy=rules(on_codes("Ignore", 42))),
    "free": job(f"{FIRST} && exit 42; exit 0", retry=ONCE, failurePolicy=rules(on_codes("RetryFree", 42))),
    "one-task-given-up": job(
        '[ "$PODWRIGHT_TASK_INDEX" != 1 ] || exit 42',
        array={"size": 3},
        retry={"limit": 5, **QUICK},
        failurePolicy=rules(on_codes("FailTask", 42)),
    ),
    "one-task-ends-all": job(
        '[ "$PODWRIGHT_TASK_INDEX" != 1 ] || exit 42; exec sleep 600',
        array={"size": 3},
        failurePolicy=rules(on_codes("Fail", 42)),
    ),
    "crash": job(
        "sleep 600 & kill -s SEGV $!; wait $!; exit $?",
        failurePolicy=rules({"action": "Fail", "onSignals": ["SIGSEGV"]}),
    ),
    "memory": job(
        "",
        # Its buffer does not fit at first.
        container={"command": ["dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"],
                   "resources": {"limits": {"memory": "24Mi"}}},
        retry={"limit": 1, **QUICK},
        failurePolicy={"onOutOfMemory": {"factor": "3", "maxMemory": "64Mi"}},
    ),
    "no-image": job(
        "", container={"image": "registry.invalid/none:1"},
        failurePolicy=rules({"action": "Fail", "onWaitingReasons": ["ErrImagePull"]}),
    ),
    "no-configuration": job(
        "",
        container={"envFrom": [{"configMapRef": {"name": "missing"}}]},
        retry=ONCE,
        failurePolicy=rules({"action": "Fail", "onWaitingReasons": ["CreateContainerConfigError"]}),
    ),
    "slow": job("exec sleep 600", timeouts={"attempt": "8s"}, retry={"limit": 0, "timeoutLimit": 0}),
    "stuck": job(
        "touch $PODWRIGHT_HEARTBEAT_FILE; sleep 600 & wait", timeouts={"progress": "2s"}, retry=ONCE
    ),
    "stuck-politely": job(
        'trap "exit 0" TERM; touch $PODWRIGHT_HEARTBEAT_FILE; while :; do sleep 1; done', timeouts={"progress": "2s"}, retry=ONCE
    ),
    "blames-main": two(
        'sleep 2; echo "bad input in row 7" > /dev/termination-log; exit 42',
        'sleep 6; echo "peer gone" > /dev/termination-log; exit 1',
        name="aux",
        retry=ONCE,
    ),
    "proxy-hides-nothing": two(
        "sleep 1; exit 1",
        "sleep 3; exit 143",
        name="proxy",
        retry=ONCE,
        failurePolicy=rules({"action": "Ignore", "onExitCodes": {"containerName": "proxy", "values": [137, 143]}}),
    ),
    "proxy-is-ignored": two(
        "exit 0",
        "sleep 2; exit 143",
        name="proxy",
        failurePolicy=rules({"action": "Ignore", "onExitCodes": {"containerName": "proxy", "values": [137, 143]}}),
    ),
    "sidecar-crashes": job(
        "sleep 30",
        pod={"initContainers": [
            {"name": "shipper", "image": "busybox:1", "restartPolicy": "Always", "command": ["sh", "-c", "sleep 1; exit 1"]}
        ]},
        retry=ONCE,
        failurePolicy=rules({"action": "Retry", "onWaitingReasons": ["CrashLoopBackOff"]}),
    ),
    "long-log": job(
        'for i in $(seq 40); do echo "frame $i of the trace, with enough words to fill sixty bytes"; done; '
        'echo "FATAL disk is read-only"; exit 1',
        container={"terminationMessagePolicy": "FallbackToLogsOnError"},
        retry=ONCE,
    ),
    "wrong-command": job("", container={"command": ["no-such-command"]}, retry=ONCE),
    "never-starts": job("", pod={"nodeSelector": {"no": "such-node"}}, timeouts={"start": "2s"}, retry=ONCE),
    "asks-for-time": job(
        f"""{FIRST} || exit 0; echo '{{"retryAfter": 1}}' > /dev/termination-log; exit 1""",
        retry={"limit": 1, "initial": "1h", "max": "1h"},
    ),
    "items": job(SHOW_ITEM, container=ITEM_ARGUMENT, array={"items": list(HOSTILE)}, retry=ONCE),
    "packed-items": job(SHOW_ITEM, container=ITEM_ARGUMENT, array={"items": list(HOSTILE), "pack": 30}, retry=ONCE),
    "packed": job(
        PACK_SCRIPT, array={"size": 12, "pack": 4, "packParallelism": 2}, retry={"limit": 1, **QUICK}, timeouts={"task": "1s"},
    ),
    "packed-fails": job(
        '[ "$PODWRIGHT_TASK_INDEX" != 2 ] || exit 9', array={"size": 5, "pack": 5}, retry={"limit": 1, **QUICK}
    ),
    "once": job(
        '[ "$PODWRIGHT_TASK_INDEX" != 1 ] || exit 1', array={"size": 3}, deliveryMode="AtMostOnce", retry={"limit": 3, **QUICK}
    ),
    "paused": job(
        f"{FIRST} || exit 0; exec sleep 600", array={"size": 2}, retry={"limit": 0, "platformLimit": 0}
    ),
    "cancelled": job("trap '' TERM; sleep 600 & wait", pod={"terminationGracePeriodSeconds": 600}),
}  # fmt: skip


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    directory = tmp_path_factory.mktemp("jobs") / "cluster"
    spec = ClusterSpec(data_directory=directory, owned=True, nodes=NodeKind.REAL, fsync=False)
    with EmbeddedCluster.start(spec) as cluster:
        install(cluster, namespace=NAMESPACE)
        OperatorProcess(cluster, data_directory=directory).start()
        found = Node(cluster)
        found.submit(JOBS)
        yield found


def test_jobs_are_suspended_and_go_on(node: Node) -> None:
    """First, as it takes the most steps."""
    node.wait_for("paused", lambda status: status.get("array", {}).get("running") == 2)
    node.edit("paused", suspend=True)
    node.wait_for("paused", lambda status: status["phase"] == "Suspended")
    assert all(pod["status"]["phase"] in {"Succeeded", "Failed"} for pod in node.pods("paused"))
    node.edit("paused", suspend=False)
    status = node.over("paused")
    assert (status["phase"], status["progress"], status["attemptCount"]) == ("Succeeded", "2/2", 4)
    assert status.get("failedCount", 0) == 0
    assert status.get("platformFailedCount", 0) == 0


def test_a_cancelled_job_ends_at_once_whatever_its_grace(node: Node) -> None:
    node.wait_for("cancelled", lambda status: status.get("phase") == "Running")
    node.edit("cancelled", cancel="Immediate")
    begun = time.monotonic()
    assert node.outcome("cancelled") == ("Cancelled", "Cancelled", [("Stopped", "Cancelled", 137)])
    assert time.monotonic() - begun < 15


def test_a_success_and_what_it_reports(node: Node) -> None:
    status = node.over("zero")
    assert node.outcome("zero") == ("Succeeded", "Completed", [("Succeeded", "Completed", 0)]), json.dumps(status)[
        :3000
    ]
    assert status["outputs"]["rows"] == 3
    assert "$(id)" in status["outputs"]["note"]
    assert "\x1b" not in status["outputs"]["note"]
    assert "\u202e" not in status["outputs"]["note"]
    assert status["artifacts"] == [{"name": "result", "url": "s3://bucket/key"}]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("three", ("Failed", "Error", [("Failed", "Error", 3)])),
        ("three-twice", ("DeadLettered", "RetriesExhausted", [("Failed", "Error", 3)] * 2)),
        ("ignored", ("Succeeded", "FailureIgnored", [("Failed", "Error", 42)])),
        ("other-code", ("Failed", "Error", [("Failed", "Error", 3)])),
        ("free", ("Succeeded", "Completed", [("Failed", "Error", 42), ("Succeeded", "Completed", 0)])),
        ("crash", ("Failed", "Error", [("Failed", "Error", 139)])),
        ("memory", ("Succeeded", "Completed", [("Failed", "OOMKilled", 137), ("Succeeded", "Completed", 0)])),
        ("slow", ("Failed", "AttemptTimeout", [("Failed", "AttemptTimeout", 137)])),
        ("never-starts", ("Failed", "StartTimeout", [("Failed", "StartTimeout", None)])),
        ("asks-for-time", ("Succeeded", "Completed", [("Failed", "Error", 1), ("Succeeded", "Completed", 0)])),
    ],
)
def test_how_jobs_end(node: Node, name: str, want: tuple[str, str, list[tuple[Any, ...]]]) -> None:
    assert node.outcome(name) == want, node.status(name)


def test_what_a_failure_says_of_itself_is_in_its_record(node: Node) -> None:
    assert node.over("three")["attempts"][0]["message"].strip() == "no such row"


def test_b8_the_container_that_failed_first_is_blamed(node: Node) -> None:
    assert node.outcome("blames-main") == ("Failed", "Error", [("Failed", "Error", 42)])
    assert node.status("blames-main")["attempts"][0]["message"] == "bad input in row 7"


def test_b9_ignoring_a_proxy_hides_no_failure_of_the_work(node: Node) -> None:
    assert node.outcome("proxy-hides-nothing")[:2] == ("Failed", "Error")
    assert node.outcome("proxy-is-ignored")[:2] == ("Succeeded", "FailureIgnored")


def test_b20_a_sidecar_that_crashes_ends_no_work(node: Node) -> None:
    assert node.outcome("sidecar-crashes")[:2] == ("Succeeded", "Completed")


def test_b6_the_end_of_a_long_log_is_kept(node: Node) -> None:
    message = node.over("long-log")["attempts"][0]["message"]
    assert message.startswith("… frame "), message
    assert message.endswith("\nFATAL disk is read-only"), message


def test_u18_a_wrong_command_is_said(node: Node) -> None:
    assert node.outcome("wrong-command")[:2] == ("Failed", "StartError")
    assert "executable file not found" in node.status("wrong-command")["attempts"][0]["message"]


def test_a_free_retry_is_charged_to_nobody(node: Node) -> None:
    status = node.over("free")
    assert (status["attemptCount"], status.get("failedCount", 0)) == (2, 0)


def test_more_memory_is_in_the_next_pod(node: Node) -> None:
    node.over("memory")
    limits = [pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in node.pods("memory")]
    assert sorted(limits) == ["24Mi", "64Mi"]
    assert node.over("memory")["outOfMemoryCount"] == 1


@pytest.mark.parametrize(
    ("name", "reasons", "words"),
    [
        ("no-image", {"ErrImagePull", "ImagePullBackOff"}, "registry.invalid"),
        ("no-configuration", {"CreateContainerConfigError"}, "missing"),
    ],
)
def test_pods_that_cannot_start_say_why(node: Node, name: str, reasons: set[str], words: str) -> None:
    phase, reason, attempts = node.outcome(name)
    assert (phase, len(attempts)) == ("Failed", 1)
    assert reason in reasons
    assert words in node.status(name)["attempts"][0]["message"]


@pytest.mark.parametrize("name", ["stuck", pytest.param("stuck-politely", id="B1 exit 0 on SIGTERM")])
def test_lack_of_progress_is_told_from_other_ends(node: Node, name: str) -> None:
    phase, reason, attempts = node.outcome(name)
    assert (phase, reason, attempts[0][:2]) == ("Failed", "ProgressTimeout", ("Failed", "ProgressTimeout"))


def test_one_task_can_be_given_up_and_one_can_end_all(node: Node) -> None:
    status = node.over("one-task-given-up")
    assert (status["phase"], status["progress"], status["attemptCount"]) == ("Failed", "2/3", 3)
    assert status["array"]["failedIndexes"] == "1"
    status = node.over("one-task-ends-all")
    assert (status["phase"], status["reason"], status["progress"]) == ("Failed", "TaskFailed", "0/3")
    assert all(pod["status"]["phase"] in {"Succeeded", "Failed"} for pod in node.pods("one-task-ends-all"))


@pytest.mark.parametrize("name", ["items", "packed-items"])
def test_items_arrive_to_the_letter(node: Node, name: str) -> None:
    status = node.over(name)
    assert (status["phase"], status["progress"]) == ("Succeeded", f"{len(HOSTILE)}/{len(HOSTILE)}")
    # Read from the node, as kubectl decodes nothing.
    log = "".join(node.kubectl("logs", pod["metadata"]["name"]) for pod in node.pods(name))
    for index, item in enumerate(HOSTILE):
        # How kubectl's output is read turns line ends into \n.
        shown = item.replace("\r\n", "\n").replace("\r", "\n")
        assert f"<{index}:{shown}:{shown}>" in log, repr(item)


def test_tasks_of_a_pack_are_retried_alone_in_a_later_pack(node: Node) -> None:
    status = node.over("packed")
    assert (status["phase"], status["progress"]) == ("Succeeded", "12/12"), json.dumps(status)[:3000]
    assert status["attemptCount"] == 5  # three packs, and two of them again
    log = {
        pod["metadata"]["labels"]["podwright.dev/task-index"]: node.kubectl("logs", pod["metadata"]["name"])
        for pod in node.pods("packed")
        if pod["metadata"]["labels"]["podwright.dev/attempt"] == "1"
    }
    started = {
        pack: IndexSet.of(int(line.split()[-2]) for line in text.splitlines() if line.endswith(" started"))
        for pack, text in log.items()
    }
    assert started == {"1": IndexSet.parse("5"), "2": IndexSet.parse("9-10")}


def test_a_task_of_a_pack_fails_alone(node: Node) -> None:
    status = node.over("packed-fails")
    assert (status["phase"], status["progress"], status["attemptCount"]) == ("DeadLettered", "4/5", 2)
    assert status["array"]["failedIndexes"] == "2"


def test_at_most_once_means_once(node: Node) -> None:
    status = node.over("once")
    assert (status["phase"], status["progress"], status["attemptCount"]) == ("Failed", "2/3", 3)
    assert sorted(pod["metadata"]["labels"]["podwright.dev/attempt"] for pod in node.pods("once")) == ["0"] * 3


def test_nothing_is_left_that_runs(node: Node) -> None:
    """Last: every job is over, its pods too, and none is held."""
    for name in ("paused", "cancelled"):
        node.edit(name, cancel="Immediate")  # the tests that end them may have run on another node
    for name in JOBS:
        node.over(name)
    until = time.monotonic() + 20
    while held := [pod for name in JOBS for pod in node.pods(name) if pod["metadata"].get("finalizers")]:
        assert time.monotonic() < until, [pod["metadata"]["name"] for pod in held]
        time.sleep(0.3)
    pods = json.loads(node.kubectl("get", "pods", "-o", "json"))["items"]
    assert {pod["status"]["phase"] for pod in pods} <= {"Succeeded", "Failed"}
