"""Whose a pod is: the one place where the marks of a pod are compared with each other and with a job. Pure.

The decoder asks `identify` for each pod it reads, the store asks `belongs` before it gives a pod to a job, and the operator asks
`lacking` about each pod that it created. What two of them would decide differently must not exist, so nothing else compares marks.

Two marks identify a pod, since nobody but the operator can give them to one: the label with the job's uid (an admission policy
protects it) and the pod's name, which holds a hash of that uid and can't change. The job must be of the pod's namespace. An owner
reference never makes a pod another job's; it identifies a pod only where a mutating policy took the label off
(docs/adr/0019-pod-identity.md).
"""

from typing import Any, Final

import msgspec

from podwright.core.constants import names
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView

NOBODY: Final = ("", "", 0, 0, ())
OWNER_REFERENCE: Final = "owner reference"


class PodMarks(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a pod says of where it comes from. `owner_uid` and `owner_name` are of the BatchJob that controls it, if one does."""

    name: str
    job_uid: str = ""
    job_name: str = ""
    task_index: str = ""
    attempt: str = ""
    owner_uid: str = ""
    owner_name: str = ""


def identify(marks: PodMarks) -> tuple[str, str, int, int, tuple[str, ...]]:
    """Return job uid, job name, task index, attempt, and the labels of ours that the pod lacks; `NOBODY` if it is nobody's.

    Whether that job exists, and in the pod's namespace, is `belongs`' question.
    """
    parts = names.read_pod_name(marks.name)
    uid = marks.job_uid or marks.owner_uid
    if parts is None or not uid or not parts.is_of(uid):
        return NOBODY
    owner_name = marks.owner_name if marks.owner_uid == uid else ""
    lacks = _labels_lacking(marks, parts)
    # A name of 63 letters or less stands whole in the label; only where there is no label is the reference needed.
    return uid, marks.job_name or owner_name or parts.stem, parts.task_index, parts.attempt, lacks


def belongs(pod: PodView, job: JobView) -> bool:
    """Return whether a pod whose marks name this job's uid is the job's: its namespace and its recomputed name must be right."""
    return pod.namespace == job.namespace and pod.name == _expected_name(pod, job)


def lacking(marks: PodMarks) -> tuple[str, ...]:
    """Return the marks that a pod of ours lacks although it was created with them."""
    parts = names.read_pod_name(marks.name)
    if parts is None:
        return ()
    owner = () if marks.owner_uid else (OWNER_REFERENCE,)
    return _labels_lacking(marks, parts) + owner


def controller_reference(*, name: str, uid: str) -> dict[str, Any]:
    """Return the reference by which a job controls its pods."""
    return {"apiVersion": names.API_VERSION, "kind": names.JOB_KIND, "name": name, "uid": uid, "controller": True}


def _labels_lacking(marks: PodMarks, parts: names.PodName) -> tuple[str, ...]:
    if marks.job_uid and marks.job_name and marks.attempt and (marks.task_index or not parts.of_array):
        return ()
    wanted = (
        (names.LABEL_JOB, marks.job_name),
        (names.LABEL_JOB_UID, marks.job_uid),
        (names.LABEL_TASK_INDEX, marks.task_index or not parts.of_array),
        (names.LABEL_ATTEMPT, marks.attempt),
    )
    return tuple([label for label, value in wanted if not value])


def _expected_name(pod: PodView, job: JobView) -> str:
    if job.array is None:
        return names.pod_name(job_name=job.name, job_uid=job.uid, task_index=0, attempt=pod.attempt)
    return names.array_pod_name(job_name=job.name, job_uid=job.uid, index=pod.task_index, attempt=pod.attempt)
