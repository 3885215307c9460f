"""The pod that is made from a template."""

from typing import Any

import msgspec
import pytest

from podwright.core.commands import CreatePod
from podwright.core.job.pod_template import build_pod
from podwright.core.names import pod_name
from podwright.core.view import JobView
from tests.builders import TEMPLATE, make_job


def build(job: JobView, *, attempt: int = 1) -> dict[str, Any]:
    """Build the pod of an attempt and decode it."""
    create = CreatePod(
        job_uid=job.uid,
        namespace=job.namespace,
        job_name=job.name,
        task_index=0,
        attempt=attempt,
        pod_name=pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=attempt),
    )
    pod: dict[str, Any] = msgspec.json.decode(build_pod(job=job, create=create, shard=3, epoch=17))
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
        "PODWRIGHT_IDEMPOTENCY_KEY": "job-uid/0",
        "PODWRIGHT_FENCING_TOKEN": "2",
    }
    for container in (*spec["initContainers"], spec["containers"][1]):
        assert {v["name"]: v["value"] for v in container["env"]} == want
    main = spec["containers"][0]["env"]
    assert {v["name"]: v["value"] for v in main} == {**want, "A": "1"}
    assert main[-1]["name"] == "A"


@pytest.mark.parametrize(
    ("timeout", "own", "want"), [(None, None, None), (None, 9, 9), (2.5, None, 3), (30.0, 9, 9), (5.0, 9, 5)]
)
def test_the_kubelet_enforces_the_attempts_time_limit(timeout: float | None, own: int | None, want: int | None) -> None:
    template: dict[str, Any] = {**TEMPLATE["spec"]}
    if own is not None:
        template["activeDeadlineSeconds"] = own
    job = make_job(template=msgspec.json.encode({"spec": template}), attempt_timeout=timeout)
    assert build(job)["spec"].get("activeDeadlineSeconds") == want
