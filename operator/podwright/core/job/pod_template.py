"""The pod of one attempt, made from the job's template. Pure: JSON in, JSON out.

The template's author decides what runs; Podwright decides the name, the owner, the finalizer, its own labels, that the
kubelet does not restart containers, and the variables of the delivery contract. Ours win over the template's.
"""

import math
from typing import Any, Final

import msgspec

from podwright.core import names
from podwright.core.commands import CreatePod
from podwright.core.view import JobView

_CONTAINER_LISTS: Final = ("initContainers", "containers")


def build_pod(*, job: JobView, create: CreatePod, shard: int, epoch: int) -> bytes:
    """Give the JSON body of the pod.

    Args:
        job: the job, with its template.
        create: which attempt of which task, and the pod's name.
        shard: the job's shard; the admission policy compares the epoch with that shard's Lease.
        epoch: the epoch under which the caller holds the shard.

    Raises:
        msgspec.DecodeError: the template is not the JSON object that the CRD's schema promises.
    """
    template: dict[str, Any] = msgspec.json.decode(job.template, type=dict[str, Any])
    metadata = template.get("metadata") or {}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": create.pod_name,
            "namespace": create.namespace,
            "labels": {**(metadata.get("labels") or {}), **_labels(create=create, shard=shard)},
            "annotations": {**(metadata.get("annotations") or {}), names.ANNOTATION_EPOCH: str(epoch)},
            "finalizers": [names.FINALIZER],
            "ownerReferences": [_owner(job)],
        },
        "spec": _spec(job=job, create=create, template=template.get("spec") or {}),
    }
    return msgspec.json.encode(pod)


def _labels(*, create: CreatePod, shard: int) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "podwright",
        names.LABEL_JOB: create.job_name,
        names.LABEL_JOB_UID: create.job_uid,
        names.LABEL_ATTEMPT: str(create.attempt),
        names.LABEL_SHARD: str(shard),
    }


def _owner(job: JobView) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "name": job.name,
        "uid": job.uid,
        "controller": True,
    }


def _spec(*, job: JobView, create: CreatePod, template: dict[str, Any]) -> dict[str, Any]:
    spec = {**template, "restartPolicy": "Never"}
    # A token in every batch pod is a way into the cluster that few jobs need; who needs it says so.
    spec.setdefault("automountServiceAccountToken", False)
    if job.attempt_timeout is not None:
        limit = math.ceil(job.attempt_timeout)
        spec["activeDeadlineSeconds"] = min(limit, spec.get("activeDeadlineSeconds") or limit)
    contract = _environment(create)
    for key in _CONTAINER_LISTS:
        if template.get(key):
            spec[key] = [_with_environment(container, contract) for container in template[key]]
    return spec


def _environment(create: CreatePod) -> dict[str, str]:
    return {
        names.ENV_JOB_NAME: create.job_name,
        names.ENV_JOB_UID: create.job_uid,
        names.ENV_TASK_INDEX: str(create.task_index),
        names.ENV_ATTEMPT: str(create.attempt),
        names.ENV_IDEMPOTENCY_KEY: names.idempotency_key(job_uid=create.job_uid, task_index=create.task_index),
        # Attempts of one task are strictly ordered, so their number (from 1) fences a late one at an outside system.
        names.ENV_FENCING_TOKEN: str(create.attempt + 1),
    }


def _with_environment(container: dict[str, Any], contract: dict[str, str]) -> dict[str, Any]:
    own = [variable for variable in container.get("env") or [] if variable.get("name") not in contract]
    # Ours come first, so that the template's variables may refer to them as $(PODWRIGHT_…).
    return {**container, "env": [{"name": name, "value": value} for name, value in contract.items()] + own}
