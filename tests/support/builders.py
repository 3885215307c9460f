"""Builders of views for tests: sensible defaults, and only what matters to a test is named in it."""

from typing import Any

import msgspec

from podwright.core.commands import Decision
from podwright.core.constants.names import pod_name
from podwright.core.job.decide import decide
from podwright.core.job.snapshot import Snapshot
from podwright.core.model.attempt import Attempt, Outcome
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import PodPhase, PodView
from podwright.core.spec import Retention
from podwright.kube.key_lease import KeyLease

CREATED = 1_000_000.0
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "payments"}},
    "spec": {"containers": [{"name": "main", "image": "busybox:1", "command": ["true"]}]},
}


def make_job(*, uid: str = "job-uid", name: str = "job", **changes: Any) -> JobView:
    """Build a job that was just created."""
    fields: dict[str, Any] = {
        "uid": uid,
        "namespace": "default",
        "name": name,
        "resource_version": 1,
        "generation": 1,
        "created": CREATED,
        "template": msgspec.json.encode(TEMPLATE),
    }
    return JobView(**{**fields, **changes})


def kept_for(seconds: float | None) -> Retention:
    """Build what a plain `ttlSecondsAfterFinished` means."""
    return Retention(succeeded=seconds, failed=seconds, cancelled=seconds)


def make_pod(job: JobView, *, attempt: int = 0, **changes: Any) -> PodView:
    """Build the pending pod of an attempt of `job`."""
    fields: dict[str, Any] = {
        "uid": f"pod-{job.uid}-{attempt}",
        "namespace": job.namespace,
        "name": pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=attempt),
        "resource_version": 2,
        "job_uid": job.uid,
        "job_name": job.name,
        "task_index": 0,
        "attempt": attempt,
        "created": job.created,
        "held": True,
    }
    return PodView(**{**fields, **changes})


def running(pod: PodView, *, at: float) -> PodView:
    """Let the pod run since `at`."""
    return msgspec.structs.replace(pod, phase=PodPhase.RUNNING, node="node-1", started=at, containers_started=at)


def finished(pod: PodView, *, at: float, exit_code: int = 0, **changes: Any) -> PodView:
    """Let the pod have ended at `at`."""
    return msgspec.structs.replace(
        pod,
        phase=PodPhase.FAILED if exit_code else PodPhase.SUCCEEDED,
        node="node-1",
        started=at if pod.started is None else pod.started,
        containers_started=at if pod.containers_started is None else pod.containers_started,
        ended=at,
        exit_code=exit_code,
        **{"reason": "Error" if exit_code else "Completed", **changes},
    )


def make_attempt(job: JobView, *, number: int = 0, outcome: Outcome | None = Outcome.FAILED, **changes: Any) -> Attempt:
    """Build the record of an attempt whose pod is the one that `make_pod` builds."""
    pod = make_pod(job, attempt=number)
    return Attempt(**{"number": number, "pod_name": pod.name, "pod_uid": pod.uid, "outcome": outcome, **changes})


def with_status(job: JobView, **changes: Any) -> JobView:
    """Return the job a status with these fields, on top of the one it has."""
    status: JobStatus = msgspec.structs.replace(job.status, **changes)
    return msgspec.structs.replace(job, status=status)


def past_key_lease(name: str) -> KeyLease:
    """Build the Lease of an idempotency key that nobody need remember any more."""
    return KeyLease(
        name=name,
        uid="",
        version="",
        holder_uid="gone",
        job_namespace="default",
        job_name="gone",
        window=1.0,
        claimed=0.0,
        ended=1.0,
    )


def decide_on(*, own_intent: bool = False, **snapshot: Any) -> Decision:
    """Decide on the snapshot of a job of one task. `own_intent` says that an intent on record is the caller's own."""
    return decide(Snapshot(intended=frozenset({0}) if own_intent else frozenset(), **snapshot))
