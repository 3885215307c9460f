"""The pod that is made from a template."""

from typing import Any

import msgspec
import pytest

from podwright.core.constants.names import pod_name
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.pod.template import build_pod
from podwright.core.model.job import JobView
from podwright.core.spec import ArraySpec, Escalation, FailurePolicy
from podwright.core.values.index_set import IndexSet
from tests.support.builders import TEMPLATE, make_job


def build(job: JobView, *, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    """Build the pod of an attempt and decode it; `changes` are to its description."""
    name = pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=attempt)
    described = msgspec.structs.replace(AttemptPod(task_index=0, attempt=attempt), **changes)
    pod: dict[str, Any] = msgspec.json.decode(build_pod(job=job, name=name, attempt=described, shard=3, epoch=17))
    return pod


def job_with(spec: dict[str, Any], metadata: dict[str, Any] | None = None) -> JobView:
    """Build a job whose template has this spec."""
    return make_job(template=msgspec.json.encode({"metadata": metadata, "spec": spec}))


def test_metadata() -> None:
    job = make_job()
    metadata = build(job)["metadata"]
    assert metadata["name"] == pod_name(job_name="job", job_uid="job-uid", task_index=0, attempt=1)
    assert metadata["labels"] == {
        "team": "payments",
        "app.kubernetes.io/managed-by": "podwright",
        "podwright.dev/job": "job",
        "podwright.dev/job-uid": "job-uid",
        "podwright.dev/attempt": "1",
        "podwright.dev/shard": "3",
    }
    assert metadata["annotations"] == {"podwright.dev/epoch": "17"}
    assert metadata["finalizers"] == ["podwright.dev/accounting"]
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "podwright.dev/v1alpha1",
            "kind": "BatchJob",
            "name": "job",
            "uid": "job-uid",
            "controller": True,
        }
    ]


def test_the_template_cannot_forge_our_labels_or_epoch() -> None:
    forged = {"labels": {"podwright.dev/shard": "9", "a": "b"}, "annotations": {"podwright.dev/epoch": "99", "c": "d"}}
    metadata = build(job_with(TEMPLATE["spec"], forged))["metadata"]
    assert (metadata["labels"]["podwright.dev/shard"], metadata["labels"]["a"]) == ("3", "b")
    assert metadata["annotations"] == {"podwright.dev/epoch": "17", "c": "d"}


def test_the_kubelet_restarts_nothing_and_gives_no_token_unasked() -> None:
    spec = build(make_job())["spec"]
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("Never", False)
    asked = build(job_with({**TEMPLATE["spec"], "automountServiceAccountToken": True}))["spec"]
    assert asked["automountServiceAccountToken"] is True


def test_every_container_gets_the_contract_first_and_cannot_forge_it() -> None:
    own = [{"name": "A", "value": "1"}, {"name": "PODWRIGHT_ATTEMPT", "value": "99"}]
    spec = build(
        job_with({"initContainers": [{"name": "init"}], "containers": [{"name": "main", "env": own}, {"name": "side"}]})
    )["spec"]
    want = {
        "PODWRIGHT_JOB_NAME": "job",
        "PODWRIGHT_JOB_UID": "job-uid",
        "PODWRIGHT_TASK_INDEX": "0",
        "PODWRIGHT_ATTEMPT": "1",
        "PODWRIGHT_IDEMPOTENCY_KEY": "default/job-uid/0",
        "PODWRIGHT_FENCING_TOKEN": "2",
    }
    for container in (*spec["initContainers"], spec["containers"][1]):
        assert {v["name"]: v["value"] for v in container["env"]} == want
    main = spec["containers"][0]["env"]
    assert {v["name"]: v["value"] for v in main} == {**want, "A": "1"}
    assert main[-1]["name"] == "A"


def test_a_job_that_goes_on_with_former_work_tells_its_key_and_greater_tokens() -> None:
    job = make_job(work_uid="first", tokens_before=4)
    told = variables(build(job, attempt=0)["spec"]["containers"][0])
    assert (told["PODWRIGHT_JOB_UID"], told["PODWRIGHT_ATTEMPT"]) == ("job-uid", "0")
    assert (told["PODWRIGHT_IDEMPOTENCY_KEY"], told["PODWRIGHT_FENCING_TOKEN"]) == ("default/first/0", "5")
    assert build(job)["metadata"]["name"] == build(make_job())["metadata"]["name"]
    of_array = build(msgspec.structs.replace(job, array=array()), task_index=7)
    assert variables(of_array["spec"]["containers"][0])["PODWRIGHT_IDEMPOTENCY_KEY"] == "default/first/7"
    packed = msgspec.structs.replace(
        job_with({"containers": [{"name": "main", "command": ["run"]}]}), work_uid="first", array=array(pack=5)
    )
    assert "default/first/" in build(packed, tasks=IndexSet.parse("5-6"))["spec"]["containers"][0]["args"]


@pytest.mark.parametrize(
    ("timeout", "own", "want"),
    [
        (None, None, None),
        (None, 9, 9),
        (2.5, None, 3),
        (30.0, 9, 9),
        (5.0, 9, 5),
        pytest.param(5.0, "10", 5, id="D24 a text"),
        pytest.param(5.0, [1], 5, id="D24 a list"),
        pytest.param(6e10, None, 2**31 - 1, id="U16 more than an int32"),
    ],
)
def test_the_kubelet_enforces_the_attempts_time_limit(timeout: float | None, own: Any, want: int | None) -> None:
    template: dict[str, Any] = {**TEMPLATE["spec"]}
    if own is not None:
        template["activeDeadlineSeconds"] = own
    job = make_job(template=msgspec.json.encode({"spec": template}), attempt_timeout=timeout)
    assert build(job)["spec"].get("activeDeadlineSeconds") == want


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def array(**changes: Any) -> ArraySpec:
    return ArraySpec(**{"size": 20, "tasks": IndexSet.up_to(20), **changes})


def test_the_pod_of_an_arrays_task_tells_which_it_is() -> None:
    items = tuple(f"item $(HOME) $${number}" for number in range(20))
    pod = build(make_job(array=array(items=items)), task_index=7)
    assert pod["metadata"]["labels"]["podwright.dev/task-index"] == "7"
    told = variables(pod["spec"]["containers"][0])
    assert (told["PODWRIGHT_TASK_INDEX"], told["PODWRIGHT_TASK_COUNT"]) == ("7", "20")
    assert told["PODWRIGHT_TASK_ITEM"] == "item $$(HOME) $$$$7"  # the kubelet reads $$ as $
    assert told["PODWRIGHT_IDEMPOTENCY_KEY"] == "default/job-uid/7"


def test_an_array_without_items_has_no_item() -> None:
    assert "PODWRIGHT_TASK_ITEM" not in variables(build(make_job(array=array()))["spec"]["containers"][0])


def test_a_pod_of_packed_tasks_runs_them_in_its_first_container_only() -> None:
    main = {"name": "main", "image": "i", "command": ["run", "$(PODWRIGHT_TASK_ITEM)"], "args": ["a"]}
    side = {"name": "side", "image": "i", "args": ["b"]}
    job = msgspec.structs.replace(
        job_with({"containers": [main, side]}),
        array=array(items=tuple("abcdefghijklmnopqrst"), pack=5, pack_parallelism=2),
        task_timeout=9.5,
    )
    pod = build(job, task_index=1, tasks=IndexSet.parse("5-6,9"))
    assert pod["metadata"]["labels"]["podwright.dev/task-index"] == "1"
    first, second = pod["spec"]["containers"]
    assert first["command"][2].startswith("_pw_total=3 _pw_slots=2 _pw_limit=10 ")
    assert first["args"] == ["/dev/termination-log", "default/job-uid/", "run", "a", "5", "f", "6", "g", "9", "j"]
    assert (second["args"], "command" in second) == (["b"], False)
    for container in (first, second):
        assert sorted(variables(container)) == [
            "PODWRIGHT_ATTEMPT",
            "PODWRIGHT_FENCING_TOKEN",
            "PODWRIGHT_JOB_NAME",
            "PODWRIGHT_JOB_UID",
            "PODWRIGHT_TASK_COUNT",
        ]


def test_the_end_of_the_log_is_kept_unless_the_template_says_otherwise() -> None:
    policies = [{"name": "a"}, {"name": "b", "terminationMessagePolicy": "File"}]
    spec = build(job_with({"containers": policies, "initContainers": [{"name": "c"}]}))["spec"]
    told = [c["terminationMessagePolicy"] for c in (*spec["containers"], *spec["initContainers"])]
    assert told == ["FallbackToLogsOnError", "File", "FallbackToLogsOnError"]


def silence(taint: str, seconds: int) -> dict[str, Any]:
    key = f"node.kubernetes.io/{taint}"
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}


@pytest.mark.parametrize(
    ("own", "want"),
    [
        ([], ["not-ready", "unreachable"]),
        ([{"key": "gpu", "operator": "Exists"}], ["not-ready", "unreachable"]),
        ([silence("not-ready", 5)], ["unreachable"]),
        ([{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}], ["not-ready"]),
        ([{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}], ["not-ready", "unreachable"]),
        ([{"operator": "Exists"}], []),
    ],
)
def test_a_worker_timeout_becomes_tolerations(own: list[dict[str, Any]], want: list[str]) -> None:
    job = job_with({**TEMPLATE["spec"], "tolerations": own})
    assert build(job)["spec"]["tolerations"] == own
    job = msgspec.structs.replace(job, worker_timeout=60)
    assert build(job)["spec"]["tolerations"] == [*own, *(silence(taint, 60) for taint in want)]


def test_without_a_worker_timeout_the_cluster_decides() -> None:
    assert "tolerations" not in build(make_job())["spec"]


def test_progress_is_watched_in_the_first_container() -> None:
    spec = build(msgspec.structs.replace(make_job(), progress_timeout=60.0))["spec"]
    (container,) = spec["containers"]
    assert variables(container)["PODWRIGHT_HEARTBEAT_FILE"] == "/run/podwright/heartbeat"
    assert container["volumeMounts"] == [{"name": "podwright", "mountPath": "/run/podwright"}]
    assert spec["volumes"] == [{"name": "podwright", "emptyDir": {}}]
    probe = container["livenessProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (7, 1)
    assert probe["exec"]["command"][-3:] == ["/run/podwright/heartbeat", "60", "/dev/termination-log"]
    assert "livenessProbe" not in build(make_job())["spec"]["containers"][0]


@pytest.mark.parametrize(("own", "want"), [(0, 1), (1, 1), (30, 30)], ids=["B32 zero is sent as one", "one", "more"])
def test_no_pod_vanishes_while_its_containers_run(own: int, want: int) -> None:
    spec = {**TEMPLATE["spec"], "terminationGracePeriodSeconds": own}
    assert build(job_with(spec))["spec"]["terminationGracePeriodSeconds"] == want


_EVICTION = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"


@pytest.mark.parametrize(
    ("own", "want"),
    [(None, "podwright"), ("scratch", "scratch,podwright"), ("scratch, podwright", "scratch,podwright")],
    ids=["B37 none of its own", "B37 beside others", "B37 said already"],
)
def test_the_heartbeat_volume_keeps_no_node(own: str | None, want: str) -> None:
    template = {"metadata": {"annotations": {_EVICTION: own} if own else {}}, "spec": TEMPLATE["spec"]}
    job = make_job(template=msgspec.json.encode(template), progress_timeout=60.0)
    assert build(job)["metadata"]["annotations"][_EVICTION] == want
    unwatched = make_job(template=msgspec.json.encode(template))
    assert build(unwatched)["metadata"]["annotations"].get(_EVICTION) == own


def test_escalation_reaches_the_whole_pod() -> None:
    """With B11 and B16."""
    resources = {"limits": {"memory": "64Mi"}}
    spec = {
        "resources": resources,
        "initContainers": [{"name": "init", "resources": resources}],
        "containers": [{"name": "main", "resources": resources}],
    }
    policy = FailurePolicy(escalation=Escalation(factor=2, max_memory="1Gi"))
    job = make_job(template=msgspec.json.encode({"spec": spec}), failure_policy=policy)
    built = build(job, out_of_memory=2)["spec"]
    for holder in (built, built["initContainers"][0], built["containers"][0]):
        assert holder["resources"] == {"limits": {"memory": "256Mi"}}
