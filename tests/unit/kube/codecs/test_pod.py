from typing import Any

import pytest

from podwright.core.model.pod import FailedContainer, PodPhase, PodView
from podwright.kube.codecs.page import PODS
from tests.unit.kube.objects import T0, T0_SECONDS, dumps, owner, pod_json, terminated, waiting

EPOCH = "1970-01-01T00:00:00Z"
LATER = "2026-11-21T05:01:00Z"


def decode(pod: dict[str, Any]) -> PodView:
    view = PODS.item(dumps(pod))
    assert isinstance(view, PodView), view
    return view


def test_fields() -> None:
    pod = pod_json(
        deletionTimestamp=LATER,
        deletionGracePeriodSeconds=30,
        status={
            "phase": "Failed",
            "startTime": T0,
            "containerStatuses": [terminated(3, reason="Error", message="no space", finishedAt=LATER)],
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
        },
    )
    assert decode(pod) == PodView(
        uid="uid-of-job-bd1b6ef549-2",
        namespace="default",
        name="job-bd1b6ef549-2",
        resource_version=7,
        job_uid="job-uid",
        job_name="job",
        task_index=0,
        attempt=2,
        created=T0_SECONDS,
        held=True,
        phase=PodPhase.FAILED,
        node="node-1",
        started=T0_SECONDS,
        ended=T0_SECONDS + 60,
        deletion_requested=T0_SECONDS + 30,
        deletion_grace=30.0,
        exit_code=3,
        reason="Error",
        message="no space",
        disruption="EvictionByEvictionAPI",
        failed=(FailedContainer("main", 3, "", "Error"),),
        conditions=(("DisruptionTarget", "True"),),
    )


UNOWNED = [
    None,
    [],
    [owner(controller=False)],
    [owner(controller=None)],
    [owner(kind="Job")],
    [owner(apiVersion="batch/v1")],
    [owner(apiVersion="podwright.dev.example.com/v1")],
]


@pytest.mark.parametrize("references", UNOWNED)
def test_l6_a_pod_without_its_owner_reference_is_known_by_its_label(references: Any) -> None:
    view = decode(pod_json(ownerReferences=references))
    assert (view.job_uid, view.job_name, view.attempt, view.lacks) == ("job-uid", "job", 2, ())


@pytest.mark.parametrize("references", UNOWNED)
def test_a_pod_with_neither_label_nor_owner_has_no_job(references: Any) -> None:
    view = decode(pod_json(ownerReferences=references, labels={"podwright.dev/attempt": "2"}))
    assert (view.job_uid, view.job_name, view.attempt) == ("", "", 0)


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "job"},
        {"name": "job-x"},
        {"name": "job-1234567890"},
        {"name": "job-1234567890-2"},
        {"labels": {"podwright.dev/job-uid": "another"}},
        {"labels": {}, "ownerReferences": [owner(uid="another")]},
    ],
)
def test_a_pod_whose_name_is_not_that_of_its_job_is_nobodys(metadata: dict[str, Any]) -> None:
    view = decode(pod_json(**metadata))
    assert (view.job_uid, view.job_name, view.attempt) == ("", "", 0)


def test_b4_a_pod_without_our_labels_is_known_by_its_owner_and_says_what_it_lacks() -> None:
    view = decode(pod_json(labels={"podwright.dev/job": "job"}))
    assert (view.job_uid, view.job_name, view.attempt) == ("job-uid", "job", 2)
    assert view.lacks == ("podwright.dev/job-uid", "podwright.dev/attempt")


def test_our_reference_is_found_among_others() -> None:
    others = [owner(kind="Workflow", controller=False, uid="x"), owner()]
    assert decode(pod_json(ownerReferences=others, labels={})).job_uid == "job-uid"


@pytest.mark.parametrize(
    ("finalizers", "held"), [(None, False), (["example.com/x"], False), (["a.b/c", "podwright.dev/accounting"], True)]
)
def test_held(finalizers: list[str] | None, held: bool) -> None:
    assert decode(pod_json(finalizers=finalizers)).held is held


@pytest.mark.parametrize(
    ("status", "exit_code", "reason", "message"),
    [
        pytest.param({"phase": "Running"}, None, "", "", id="runs"),
        pytest.param({"phase": "Succeeded", "containerStatuses": [terminated(0)]}, 0, "", "", id="succeeded"),
        pytest.param({"phase": "Succeeded"}, 0, "", "", id="succeeded, statuses lost"),
        pytest.param(
            {"phase": "Failed", "containerStatuses": [terminated(0), terminated(2, reason="A"), terminated(3)]},
            2,
            "A",
            "",
            id="the first that failed",
        ),
        pytest.param(
            {"phase": "Failed", "initContainerStatuses": [terminated(0), terminated(4, reason="B", message="m")]},
            4,
            "B",
            "m",
            id="an init container failed",
        ),
        pytest.param(
            {
                "phase": "Succeeded",
                "initContainerStatuses": [terminated(143, reason="Error")],
                "containerStatuses": [terminated(0)],
            },
            0,
            "",
            "",
            id="an ended sidecar is no failure",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "reason": "DeadlineExceeded",
                "message": "active too long",
                "containerStatuses": [terminated(137, reason="Error")],
            },
            137,
            "DeadlineExceeded",
            "active too long",
            id="the pod's reason wins",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "reason": "Evicted",
                "message": "low on memory",
                "containerStatuses": [terminated(137, message="last words")],
            },
            137,
            "Evicted",
            "last words",
            id="the container's message wins",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "containerStatuses": [terminated(137, reason="ContainerStatusUnknown", startedAt=None)],
            },
            None,
            "ContainerStatusUnknown",
            "",
            id="nobody knows how it ended",
        ),
        pytest.param(
            {
                "phase": "Failed",
                "containerStatuses": [terminated(137, reason="Error", startedAt=EPOCH), terminated(3, reason="Error")],
            },
            3,
            "Error",
            "",
            id="one never ran, the other did",
        ),
        pytest.param({"phase": "Failed", "reason": "NodeAffinity"}, None, "NodeAffinity", "", id="never started"),
        pytest.param(
            {"phase": "Failed", "containerStatuses": [terminated(1, message="x" * 5000)]}, 1, "", "x" * 4096, id="cut"
        ),
    ],
)
def test_end(status: dict[str, Any], exit_code: int | None, reason: str, message: str) -> None:
    view = decode(pod_json(status=status))
    assert (view.exit_code, view.reason, view.message) == (exit_code, reason, message)


@pytest.mark.parametrize(
    ("finished", "ended"),
    [
        ([], None),
        ([None], None),
        ([EPOCH], None),
        ([T0], T0_SECONDS),
        ([LATER, T0, None], T0_SECONDS + 60),
    ],
)
def test_ended_is_the_last_container_end(finished: list[str | None], ended: float | None) -> None:
    statuses = [terminated(0, finishedAt=time) for time in finished]
    assert decode(pod_json(status={"phase": "Succeeded", "containerStatuses": statuses})).ended == ended


def test_the_end_of_a_sidecar_is_not_the_end() -> None:
    status = {"phase": "Succeeded", "initContainerStatuses": [terminated(0, finishedAt=T0)]}
    assert decode(pod_json(status=status)).ended is None


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ("", "")),
        ({"containerStatuses": [waiting("ContainerCreating")]}, ("", "")),
        ({"initContainerStatuses": [waiting("PodInitializing")]}, ("", "")),
        ({"containerStatuses": [waiting("ErrImagePull", "no such image")]}, ("ErrImagePull", "no such image")),
        (
            {"containerStatuses": [waiting("PodInitializing"), waiting("CreateContainerConfigError", "m")]},
            ("CreateContainerConfigError", "m"),
        ),
        ({"initContainerStatuses": [waiting("ImagePullBackOff", "m")]}, ("ImagePullBackOff", "m")),
        ({"conditions": [UNSCHEDULABLE]}, ("Unschedulable", "0/3 nodes")),
        ({"conditions": [{**UNSCHEDULABLE, "status": "True"}]}, ("", "")),
        ({"phase": "Running", "containerStatuses": [waiting("ErrImagePull", "m")]}, ("ErrImagePull", "m")),
        ({"phase": "Failed", "containerStatuses": [waiting("ErrImagePull", "m")]}, ("", "")),
    ],
)
def test_waiting(status: dict[str, Any], expected: tuple[str, str]) -> None:
    view = decode(pod_json(status=status))
    assert (view.waiting_reason, view.waiting_message) == expected


@pytest.mark.parametrize(
    ("conditions", "disruption"),
    [
        (None, ""),
        ([{"type": "DisruptionTarget", "status": "False", "reason": "PreemptionByScheduler"}], ""),
        ([{"type": "Ready", "status": "True"}, {"type": "DisruptionTarget", "status": "True", "reason": "R"}], "R"),
    ],
)
def test_disruption(conditions: list[Any] | None, disruption: str) -> None:
    assert decode(pod_json(status={"conditions": conditions})).disruption == disruption


def test_a_pod_deleted_without_grace() -> None:
    view = decode(pod_json(deletionTimestamp=LATER, deletionGracePeriodSeconds=0))
    assert (view.deletion_requested, view.deletion_grace) == (T0_SECONDS + 60, 0.0)


def running(at: str | None) -> dict[str, Any]:
    return {"name": "main", "state": {"running": {} if at is None else {"startedAt": at}}}


@pytest.mark.parametrize(
    ("statuses", "started"),
    [
        ([], None),
        ([running(T0)], T0_SECONDS),
        ([running(T0), running(LATER)], T0_SECONDS + 60),
        ([running(T0), {"name": "b", "state": {"waiting": {"reason": "ErrImagePull"}}}], None),
        ([running(T0), {"name": "b"}], None),
        ([running(None)], None),
        ([terminated(0, startedAt=T0)], T0_SECONDS),
        ([terminated(137, reason="ContainerStatusUnknown", startedAt=None)], None),
        ([terminated(137, startedAt=EPOCH)], None),
    ],
    ids=["none", "one", "the last of two", "one waits", "one is unknown", "no time", "ended", "never ran", "epoch"],
)
def test_when_the_containers_started(statuses: list[dict[str, Any]], started: float | None) -> None:
    assert decode(pod_json(status={"containerStatuses": statuses})).containers_started == started


def named(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a container's status another name."""
    return {**state, "name": name}


@pytest.mark.parametrize(
    ("status", "want"),
    [
        ({"phase": "Running"}, ()),
        ({"phase": "Succeeded", "containerStatuses": [terminated(0)]}, ()),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    terminated(0),
                    named("a", terminated(139, reason="Error")),
                    named("b", terminated(137, reason="OOMKilled")),
                    named("c", terminated(1, signal=15)),
                ],
            },
            (
                FailedContainer("b", 137, "SIGKILL", "OOMKilled"),
                FailedContainer("a", 139, "SIGSEGV", "Error"),
                FailedContainer("c", 1, "SIGTERM", ""),
            ),
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    named("a", terminated(128, reason="StartError", startedAt=EPOCH)),
                    named("b", terminated(137, reason="ContainerStatusUnknown")),
                ],
            },
            (FailedContainer("a", None, "", "StartError"), FailedContainer("b", None, "", "ContainerStatusUnknown")),
        ),
        (
            {
                "phase": "Failed",
                "initContainerStatuses": [named("sidecar", terminated(143))],
                "containerStatuses": [terminated(2)],
            },
            (FailedContainer("main", 2, "", ""),),
        ),
        (
            {"phase": "Failed", "initContainerStatuses": [named("setup", terminated(200))]},
            (FailedContainer("setup", 200, "", ""),),
        ),
    ],
    ids=["runs", "succeeded", "several", "made up", "a sidecar decides nothing", "an init container"],
)
def test_failed_containers(status: dict[str, Any], want: tuple[FailedContainer, ...]) -> None:
    assert decode(pod_json(status=status)).failed == want


def test_the_message_of_a_success_is_the_first_there_is() -> None:
    told = [terminated(0), terminated(0, message="first"), terminated(0, message="second")]
    assert decode(pod_json(status={"phase": "Succeeded", "containerStatuses": told})).message == "first"


def test_conditions_that_every_pod_has_are_not_kept() -> None:
    kinds = ["PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"]
    conditions = [{"type": kind, "status": "False"} for kind in [*kinds, "example.com/Broken"]]
    assert decode(pod_json(status={"conditions": conditions})).conditions == (("example.com/Broken", "False"),)


@pytest.mark.parametrize(("name", "want"), [("job-bd1b6ef549-2", (0, 2)), ("job-0b18342f4a-17-2", (17, 2))])
def test_the_name_tells_task_and_attempt(name: str, want: tuple[int, int]) -> None:
    view = decode(pod_json(name=name))
    assert (view.task_index, view.attempt, view.job_uid) == (*want, "job-uid")


def test_the_report_of_a_pack_is_kept_whole_whichever_container_failed() -> None:
    report = "podwright pack: started 1; succeeded " + ",".join(str(n) for n in range(0, 2000, 2)) + "."
    for code in (0, 1):
        status = {
            "phase": "Failed",
            "containerStatuses": [terminated(2, message="sidecar"), terminated(code, message=report)],
        }
        assert decode(pod_json(status=status)).message == report[:4096]


def at(second: int, container: dict[str, Any]) -> dict[str, Any]:
    """Let a container end at a second."""
    container["state"]["terminated"]["finishedAt"] = f"2026-11-21T05:00:{second:02}Z"
    return container


MAIN_FAILED = at(2, terminated(42, reason="Error", message="bad input in row 7"))
AUX_FAILED = at(8, terminated(1, reason="Error", message="peer gone"))
MAIN_OOM = at(2, terminated(137, reason="OOMKilled", message=""))
AUX_KILLED = at(2, terminated(143, reason="Error", message="told to go"))


@pytest.mark.parametrize("names", [("aux", "main"), ("main", "aux")], ids=["aux is first by name", "main is first"])
@pytest.mark.parametrize(
    ("main", "aux", "want"),
    [
        pytest.param(MAIN_FAILED, AUX_FAILED, (42, "Error", "bad input in row 7"), id="B8 by the time of the end"),
        pytest.param(MAIN_OOM, AUX_FAILED, (137, "OOMKilled", ""), id="B8 out of memory first"),
        pytest.param(MAIN_OOM, AUX_KILLED, (137, "OOMKilled", ""), id="B8 within one second"),
        pytest.param(
            at(2, terminated(42, reason="Error", message="bad input in row 7")),
            AUX_KILLED,
            (42, "Error", "bad input in row 7"),
            id="B8 killed as a consequence",
        ),
    ],
)
def test_b8_the_container_that_failed_first_is_blamed(
    names: tuple[str, str], main: dict[str, Any], aux: dict[str, Any], want: tuple[int, str, str]
) -> None:
    containers = dict(zip(("main", "aux"), (main, aux), strict=True))
    statuses = [named("z" if name == names[1] else "a", containers[name]) for name in names]
    pod = decode(pod_json(status={"phase": "Failed", "containerStatuses": statuses}))
    assert (pod.exit_code, pod.reason, pod.message) == want


def test_b1_the_words_of_the_watchdog_are_found_beside_others() -> None:
    told = [terminated(0, message="hello"), terminated(0, message="podwright: no progress for 5s\n")]
    pod = decode(pod_json(status={"phase": "Succeeded", "containerStatuses": told}))
    assert pod.message.startswith("podwright: no progress")


def test_k3_a_reboot_of_the_node_is_no_exit_code() -> None:
    lost = terminated(255, reason="Unknown")
    pod = decode(pod_json(status={"phase": "Failed", "containerStatuses": [lost]}))
    assert (pod.exit_code, pod.reason, pod.failed[0].exit_code) == (None, "Unknown", None)
    own = terminated(255, reason="Error")
    assert decode(pod_json(status={"phase": "Failed", "containerStatuses": [own]})).exit_code == 255


CRASHING = named("shipper", waiting("CrashLoopBackOff"))
RUNS = {"name": "main", "state": {"running": {"startedAt": T0}}}


@pytest.mark.parametrize(
    ("containers", "want"),
    [
        pytest.param([RUNS], "", id="B20 the work runs"),
        pytest.param([waiting("PodInitializing")], "CrashLoopBackOff", id="B20 the work can't start"),
        pytest.param([RUNS, named("other", waiting("ErrImagePull"))], "ErrImagePull", id="B20 another one can't start"),
    ],
)
def test_b20_only_what_keeps_the_pod_from_starting_is_a_wait(containers: list[dict[str, Any]], want: str) -> None:
    status = {"phase": "Pending", "initContainerStatuses": [CRASHING], "containerStatuses": containers}
    assert decode(pod_json(status=status)).waiting_reason == want


def test_b28_what_ended_well_and_what_runs_on() -> None:
    done = at(30, terminated(0))
    pod = decode(
        pod_json(status={"phase": "Running", "containerStatuses": [done, named("proxy", {**RUNS, "name": "proxy"})]})
    )
    assert (pod.completed, pod.running_on) == (T0_SECONDS + 30, ("proxy",))
    pod = decode(pod_json(status={"phase": "Running", "containerStatuses": [RUNS]}))
    assert (pod.completed, pod.running_on) == (None, ())


@pytest.mark.parametrize(
    ("phase", "containers", "completed"),
    [
        pytest.param("Failed", [at(30, terminated(0))], T0_SECONDS + 30, id="failed although all ended well"),
        pytest.param("Succeeded", [at(30, terminated(0))], None, id="succeeded"),
        pytest.param(
            "Failed", [at(30, terminated(0)), named("other", waiting("ErrImagePull"))], None, id="another never ran"
        ),
        pytest.param(
            "Failed",
            [at(30, terminated(0)), named("other", at(35, terminated(1)))],
            T0_SECONDS + 30,
            id="another failed",
        ),
    ],
)
def test_when_what_ended_well_did_so(phase: str, containers: list[dict[str, Any]], completed: float | None) -> None:
    assert decode(pod_json(status={"phase": phase, "containerStatuses": containers})).completed == completed


def test_an_init_container_is_blamed_when_nothing_else_ran() -> None:
    status = {
        "phase": "Failed",
        "initContainerStatuses": [named("setup", terminated(3, reason="Error"))],
        "containerStatuses": [terminated(137, reason="ContainerStatusUnknown", startedAt=None)],
    }
    pod = decode(pod_json(status=status))
    assert (pod.exit_code, pod.failed[0].name) == (3, "setup")
