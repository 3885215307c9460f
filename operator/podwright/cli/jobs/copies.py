"""A finished job once more, as a new object: its name, its spec, and the marks that make its creation idempotent. Pure.

Two requests for the same copy must end with one: the copy is found by its origin's uid, which it carries in a label (to be
looked for) and an annotation (for the operator, which lets a redriven job use its origin's `spec.idempotencyKey`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any, Final

from podwright.cli.connection import Object
from podwright.cli.jobs.state import annotation, array_of, name_of, recorded_set, spec_of, tasks_of
from podwright.core.constants import names
from podwright.core.job.work import tokens_before, work_uid
from podwright.core.values.index_set import IndexSet

_NUMBERED: Final = re.compile(r"(?P<base>.+)-r(?P<number>[0-9]{1,6})")
_NAME_LIMIT: Final = 63
_NOT_COPIED: Final = ("cancel", "suspend", "startAt")
_LEFT_OUT_BELOW: Final = (f"{names.GROUP}/", "kubectl.kubernetes.io/")

REDRIVE_COUNT: Final = f"{names.GROUP}/redrive-count"


class Origin(enum.StrEnum):
    """What a copy carries, with the uid of the job that it is a copy of."""

    RESTART = f"{names.GROUP}/restart-of"
    REDRIVE = f"{names.GROUP}/redrive-of"

    @property
    def mark(self) -> str:
        """The annotation of the job itself, with the name of its copy. It is written before the copy is created."""
        return f"{names.GROUP}/{'restarted-as' if self is Origin.RESTART else 'redriven-as'}"


def announced(job: Mapping[str, Any], origin: Origin) -> str:
    """Return the name of the copy that there is, was, or was to be; empty if the job was never copied."""
    return annotation(job, origin.mark.partition("/")[2])


def selector(job: Mapping[str, Any], origin: Origin) -> str:
    """Return the label selector that finds the copy of a job."""
    return f"{origin}={job['metadata']['uid']}"


def is_copy_of(copy: Mapping[str, Any], job: Mapping[str, Any], origin: Origin) -> bool:
    """Return whether a job is that copy."""
    return annotation(copy, origin.partition("/")[2]) == str(job["metadata"]["uid"])


def copy_number(job: Mapping[str, Any], *, origin: Origin) -> int:
    """Return the number of the next copy: one more than its own, if it is a copy itself."""
    if origin is Origin.REDRIVE:
        return redrive_count(job) + 1
    match = _NUMBERED.fullmatch(name_of(job)) if _is_copy(job) else None
    return int(match["number"]) + 1 if match else 1


def redrive_count(job: Mapping[str, Any]) -> int:
    """Tell how often the job has been redriven."""
    text = annotation(job, "redrive-count")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def copy_name(job: Mapping[str, Any], number: int) -> str:
    """Name a copy `<name>-r<number>`, at most 63 characters. Copies of copies are numbered on, not stacked up."""
    match = _NUMBERED.fullmatch(name_of(job)) if _is_copy(job) else None
    suffix = f"-r{number}"
    base = match["base"] if match else name_of(job)
    return base[: _NAME_LIMIT - len(suffix)].rstrip("-.") + suffix


def _is_copy(job: Mapping[str, Any]) -> bool:
    return any(annotation(job, origin.partition("/")[2]) for origin in Origin)


def undone(job: Mapping[str, Any]) -> IndexSet:
    """Return the tasks of an array that failed or never came to an end. Skipped ones were not to run, and still aren't."""
    return tasks_of(job) - recorded_set(job, "succeededIndexes") - recorded_set(job, "skippedIndexes")


def copied(job: Object, *, name: str, origin: Origin, tasks: IndexSet | None = None) -> Object:
    """Build the copy.

    Args:
        job: the finished job.
        name: of the copy.
        origin: why there is a copy.
        tasks: run only these tasks of the array.
    """
    meta = job["metadata"]
    spec = {key: value for key, value in spec_of(job).items() if key not in _NOT_COPIED}
    if tasks is not None and array_of(job) is not None:
        spec["array"] = _array_of(job, tasks)
    own = {key: value for key, value in (meta.get("labels") or {}).items() if not key.startswith(f"{names.GROUP}/")}
    kept = {
        key: value
        for key, value in (meta.get("annotations") or {}).items()
        if not key.startswith(_LEFT_OUT_BELOW) and key not in names.GITOPS_MARKS
    }
    labels = {key: value for key, value in own.items() if key not in names.GITOPS_MARKS}
    marks = {str(origin): meta["uid"]}
    count = redrive_count(job) + (1 if origin is Origin.REDRIVE else 0)
    if count:
        marks[REDRIVE_COUNT] = str(count)
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.JOB_KIND,
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {**labels, str(origin): meta["uid"]},
            "annotations": {**kept, **marks},
        },
        "spec": spec,
    }


def going_on(copy: Object, job: Object) -> Object:
    """Return the copy as one that goes on with the job's work: its programs are told the same idempotency keys, and greater tokens.

    Not if the tasks were changed: under the key of another piece of work, a new one would be dropped as done.
    """
    if _pieces(copy) != _pieces(job):
        return copy
    known = job["metadata"].get("annotations")
    # One more than is on record, for an attempt that nobody could account for. Gaps do no harm.
    tokens = tokens_before(known) + int((job.get("status") or {}).get("attemptCount") or 0) + 1
    marks = {
        names.ANNOTATION_WORK: work_uid(known) or str(job["metadata"]["uid"]),
        names.ANNOTATION_TOKENS: str(tokens),
    }
    meta = copy["metadata"]
    return {**copy, "metadata": {**meta, "annotations": {**meta["annotations"], **marks}}}


def _pieces(job: Object) -> tuple[bool, object]:
    """Return what the index of a task stands for: the whole job, a number, or an item."""
    array = array_of(job)
    return array is not None, (array or {}).get("items")


def _array_of(job: Object, tasks: IndexSet) -> dict[str, Any]:
    """Return the array with only some of its tasks; what had succeeded before counts towards its success policy.

    Tasks that were skipped count for it no more than they did in the array itself: no index has to succeed for them.
    """
    array = dict(array_of(job) or {})
    array["indexes"] = str(tasks)
    policy = array.pop("successPolicy", None)
    if policy is None:
        return array
    done = recorded_set(job, "succeededIndexes")
    remaining = dict(policy)
    if policy.get("indexes"):
        among = IndexSet.parse(policy["indexes"])
        done = done & among
        remaining["indexes"] = str(among - done - (recorded_set(job, "skippedIndexes") - tasks))
    if policy.get("count"):
        remaining["count"] = int(policy["count"]) - len(done)
    if all(remaining.get(key) for key in policy) and remaining.get("count", 1) > 0:
        array["successPolicy"] = remaining
    return array
