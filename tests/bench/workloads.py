"""The same pod in several forms: bare, in a native Job, in a BatchJob, as a task. What is submitted, and how its pod and its end are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from podwright.core.accounting import Accounting
from podwright.core.constants import names

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "bench"
PODS_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_PLACEHOLDER: Final = "name-of-the-object"
_POD_SPEC: Final[dict[str, Any]] = {
    "restartPolicy": "Never",
    # BatchJob's default, written out for all: a token would make the pods of the others larger.
    "automountServiceAccountToken": False,
    "containers": [{"name": "main", "image": "busybox:1", "command": ["true"]}],
}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One way to have a pod run to completion."""

    name: str
    title: str
    path: str
    """The collection to submit to."""
    body: bytes
    owner_label: str
    """The pod's label that names what was submitted; empty if that is the pod itself."""
    accounting: Accounting | None = None
    """That of the operator that runs it; None if none does."""

    def manifest(self, name: str) -> bytes:
        """What to submit under `name`."""
        return self.body.replace(_PLACEHOLDER.encode(), name.encode())


def _body(api_version: str, kind: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> bytes:
    metadata = {"name": _PLACEHOLDER} | ({"annotations": annotations} if annotations else {})
    return msgspec.json.encode({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})


PODS: Final = Workload(
    name="pods", title="bare pods", path=PODS_PATH, body=_body("v1", "Pod", _POD_SPEC), owner_label=""
)
NATIVE_JOB: Final = Workload(
    name="job",
    title="native Job",
    path=f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
    body=_body("batch/v1", "Job", {"template": {"spec": _POD_SPEC}}),
    owner_label="batch.kubernetes.io/job-name",
)


def job_path(namespace: str) -> str:
    """Return where BatchJobs of a namespace are submitted to."""
    return f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.JOB_PLURAL}"


BATCH_JOB: Final = Workload(
    name="batchjob",
    title="BatchJob",
    path=job_path(NAMESPACE),
    body=_body(names.API_VERSION, names.JOB_KIND, {"template": {"spec": _POD_SPEC}}),
    owner_label=names.LABEL_JOB,
    accounting=Accounting.EXACT,
)
ALL: Final = (PODS, NATIVE_JOB, BATCH_JOB)
BULK: Final = replace(BATCH_JOB, name="bulk", title="BatchJob, bulk accounting", accounting=Accounting.BULK)
"""The same object; what differs is the operator."""


def array(
    *,
    suspend: bool = False,
    namespace: str = NAMESPACE,
    annotations: Mapping[str, str] | None = None,
    padding: int = 0,
    **fields: Any,
) -> Workload:
    """A BatchJob of many tasks; `fields` are those of `spec.array`. What is observed is each task, named by its index.

    `annotations` are those of its pods; with `padding` its template is larger by so many bytes.
    """
    template: dict[str, Any] = {"spec": _POD_SPEC}
    if annotations:
        template["metadata"] = {"annotations": annotations}
    if padding:
        (container,) = _POD_SPEC["containers"]
        template["spec"] = {**_POD_SPEC, "containers": [{**container, "env": padding_variables(padding)}]}
    return Workload(
        name="array",
        title="array",
        path=job_path(namespace),
        body=_body(names.API_VERSION, names.JOB_KIND, {"suspend": suspend, "template": template, "array": fields}),
        owner_label=names.LABEL_TASK_INDEX,
    )


def padding_variables(size: int, *, each: int = 10_000) -> list[dict[str, str]]:
    """Return environment variables whose values take `size` bytes together."""
    return [{"name": f"PADDING_{begin}", "value": "x" * min(each, size - begin)} for begin in range(0, size, each)]


def endless_batch_job(annotation: str) -> Workload:
    """A BatchJob whose pod runs until it is deleted; `annotation` is the one by which fake nodes are told so."""
    template = {"metadata": {"annotations": {annotation: "forever"}}, "spec": _POD_SPEC}
    return Workload(
        name="endless",
        title="endless BatchJob",
        path=BATCH_JOB.path,
        body=_body(names.API_VERSION, names.JOB_KIND, {"template": template}),
        owner_label=names.LABEL_JOB,
    )
