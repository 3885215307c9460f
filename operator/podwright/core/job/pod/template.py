"""The pod of one attempt, made from the job's template. Pure: JSON in, JSON out.

The template's author decides what runs; Podwright decides the name, the owner, the finalizer, its own labels, that the
kubelet does not restart containers, and the variables of the delivery contract. Ours win over the template's. What is added for
one field of the spec is in a file of its own in `core.job.pod`; a pod of packed tasks gets its command from `core.pack`.
"""

import math
from typing import Any, Final

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.attempt.avoidance import avoiding
from podwright.core.constants import names
from podwright.core.job.identity import controller_reference
from podwright.core.job.pack.command import packed
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.pod.environment import contract, with_variables
from podwright.core.job.pod.escalation import with_more
from podwright.core.job.pod.heartbeat import heartbeat_problem, with_eviction, with_heartbeat
from podwright.core.job.work import work_of
from podwright.core.model.job import JobView

_CONTAINER_LISTS: Final = ("initContainers", "containers")
_SILENCE: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_LONGEST_DEADLINE: Final = 2**31 - 1


def build_pod(
    *,
    job: JobView,
    name: str,
    attempt: AttemptPod,
    shard: int,
    epoch: int,
    accounting: Accounting = Accounting.EXACT,
) -> bytes:
    """Return the JSON body of the pod.

    Args:
        job: the job, with its template.
        name: the pod's name.
        attempt: which attempt of which task it is.
        shard: the job's shard; the admission policy compares the epoch with that shard's Lease.
        epoch: the epoch under which the caller holds the shard.
        accounting: whether a finalizer keeps the pod until its end is on record.

    Raises:
        msgspec.DecodeError: the template is not the JSON object that the CRD's schema promises.
    """
    template: dict[str, Any] = msgspec.json.decode(job.template, type=dict[str, Any])
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    annotations = {**(metadata.get("annotations") or {}), names.ANNOTATION_EPOCH: str(epoch)}
    watched = job.progress_timeout is not None and not heartbeat_problem(spec)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": job.namespace,
            "labels": {**(metadata.get("labels") or {}), **_labels(job=job, attempt=attempt, shard=shard)},
            "annotations": with_eviction(annotations) if watched else annotations,
            "finalizers": [names.FINALIZER] if accounting is Accounting.EXACT else [],
            "ownerReferences": [controller_reference(name=job.name, uid=job.uid)],
        },
        "spec": _spec(job=job, attempt=attempt, template=spec, watched=watched),
    }
    return msgspec.json.encode(pod)


def _labels(*, job: JobView, attempt: AttemptPod, shard: int) -> dict[str, str]:
    task = {} if job.array is None else {names.LABEL_TASK_INDEX: str(attempt.task_index)}
    return {
        "app.kubernetes.io/managed-by": "podwright",
        names.LABEL_JOB: job.name,
        names.LABEL_JOB_UID: job.uid,
        **task,
        names.LABEL_ATTEMPT: str(attempt.attempt),
        names.LABEL_SHARD: str(shard),
    }


def _spec(*, job: JobView, attempt: AttemptPod, template: dict[str, Any], watched: bool) -> dict[str, Any]:
    spec = {**template, "restartPolicy": "Never"}
    # A token in every batch pod is a way into the cluster that few jobs need; who needs it says so.
    spec.setdefault("automountServiceAccountToken", False)
    if job.attempt_timeout is not None:
        spec["activeDeadlineSeconds"] = _deadline(job.attempt_timeout, own=spec.get("activeDeadlineSeconds"))
    if spec.get("terminationGracePeriodSeconds") == 0:
        # A pod that is deleted with no grace at all vanishes at once, while its containers may run on: a copy would run beside them.
        spec["terminationGracePeriodSeconds"] = 1
    if job.worker_timeout is not None:
        spec["tolerations"] = _tolerating_silence(spec.get("tolerations") or [], seconds=job.worker_timeout)
    variables = contract(job=job, pod=attempt)
    for key in _CONTAINER_LISTS:
        if template.get(key):
            spec[key] = [_with_contract(container, variables) for container in template[key]]
    if attempt.nodes_to_avoid:
        spec["affinity"] = avoiding(spec.get("affinity"), attempt.nodes_to_avoid)
    escalation = job.failure_policy.escalation
    if escalation is not None:
        spec = with_more(spec, escalation=escalation, times=attempt.out_of_memory)
    if watched and spec.get("containers") and job.progress_timeout is not None:
        spec = with_heartbeat(spec, limit=job.progress_timeout, packed=bool(attempt.tasks))
    return _with_runner(job=job, attempt=attempt, spec=spec) if attempt.tasks else spec


def _deadline(limit: float, *, own: Any) -> int:
    """Return the pod's `activeDeadlineSeconds`: the shorter of the attempt's limit and the template's own, an int32."""
    seconds = min(math.ceil(limit), _LONGEST_DEADLINE)
    return min(seconds, own) if isinstance(own, int) and own > 0 else seconds


def _with_contract(container: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    # The last lines of the log say more about a failure than its exit code does; the kubelet keeps them with the pod's end.
    policy = container.get("terminationMessagePolicy") or "FallbackToLogsOnError"
    return {**with_variables(container, variables), "terminationMessagePolicy": policy}


def _with_runner(*, job: JobView, attempt: AttemptPod, spec: dict[str, Any]) -> dict[str, Any]:
    first, *others = spec["containers"]
    runner = packed(
        first,
        tasks=attempt.tasks,
        work=work_of(job),
        items=job.array.items if job.array is not None else (),
        parallelism=job.array.pack_parallelism if job.array is not None else 1,
        limit=job.task_timeout,
        containers=sum(len(spec.get(key) or ()) for key in _CONTAINER_LISTS),
    )
    return {**spec, "containers": [runner, *others]}


def _tolerating_silence(tolerations: list[dict[str, Any]], *, seconds: int) -> list[dict[str, Any]]:
    """Return the tolerations with one for each taint of a silent node that the template doesn't tolerate in its own way.

    A pod that tolerates them for so many seconds (`spec.workerTimeoutSeconds`) is deleted after that; without our tolerations an
    admission plugin of the API server adds its own, mostly of 300 seconds.
    """
    return [
        *tolerations,
        *(
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
            for taint in _SILENCE
            if not any(_covers(toleration, taint) for toleration in tolerations)
        ),
    ]


def _covers(toleration: dict[str, Any], taint: str) -> bool:
    # One without a key and with Exists tolerates everything; one without an effect tolerates all effects.
    named = toleration.get("key") == taint or (not toleration.get("key") and toleration.get("operator") == "Exists")
    return named and toleration.get("effect") in (None, "", "NoExecute")
