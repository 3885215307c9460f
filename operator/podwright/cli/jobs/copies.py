"""A finished job once more, as a new object: its name, its spec, and the marks that make its creation idempotent. Pure.

A restart does all the work once more, under new keys. A retry and a redrive go on with the job's work: their programs see the
same idempotency keys. Two requests for the same copy must end with one: it is found by its origin's uid, which it carries in
a label (to be looked for) and an annotation (for the operator, which lets it use its origin's `spec.idempotencyKey`).
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

_NAME_LIMIT: Final = 63
_MARKS_KEPT: Final = 50
_NOT_COPIED: Final = ("cancel", "suspend", "startAt")
_LEFT_OUT_BELOW: Final = (f"{names.GROUP}/", "kubectl.kubernetes.io/")

REDRIVE_COUNT: Final = f"{names.GROUP}/redrive-count"
_COPY_OF: Final = f"{names.GROUP}/copy-of"


class Origin(enum.StrEnum):
    """What a copy carries, with the uid of the job that it is a copy of."""

    RESTART = f"{names.GROUP}/restart-of"
    RETRY = f"{names.GROUP}/retry-of"
    REDRIVE = f"{names.GROUP}/redrive-of"

    @property
    def mark(self) -> str:
        """The annotation of the job itself, with the names of its copies. Each is written before that copy is created."""
        return f"{names.GROUP}/{_DONE[self]}-as"

    @property
    def done(self) -> str:
        """What was done to the job, as in `report was retried as report-retry1`."""
        return _DONE[self]

    @property
    def suffix(self) -> str:
        """What stands between the job's name and the number in the name of a copy."""
        return "-retry" if self is Origin.RETRY else "-r"


_DONE: Final = {Origin.RESTART: "restarted", Origin.RETRY: "retried", Origin.REDRIVE: "redriven"}


def announced(job: Mapping[str, Any], origin: Origin) -> tuple[str, ...]:
    """Return the names of the copies that there are, were, or were to be; the newest last."""
    return tuple(filter(None, (name.strip() for name in annotation(job, _key(origin.mark)).split(","))))


def mark_with(job: Mapping[str, Any], origin: Origin, name: str) -> str:
    """Return the value of the job's mark once a copy of that name is to be created."""
    others = [each for each in announced(job, origin) if each != name]
    return ",".join([*others, name][-_MARKS_KEPT:])


def selector(job: Mapping[str, Any], origin: Origin) -> str:
    """Return the label selector that finds the copies of a job."""
    return f"{origin}={job['metadata']['uid']}"


def is_copy_of(copy: Mapping[str, Any], job: Mapping[str, Any], origin: Origin) -> bool:
    """Return whether a job is a copy of another."""
    return annotation(copy, _key(origin)) == str(job["metadata"]["uid"])


def original(job: Mapping[str, Any], origin: Origin) -> str:
    """Return the name of the job that a job is a copy of, its uid if no name is on record; empty if it is no such copy."""
    uid = annotation(job, _key(origin))
    return uid and (annotation(job, _key(_COPY_OF)) or uid)


def run_again_as(job: Mapping[str, Any]) -> tuple[Origin, str] | None:
    """Return how a job was run again last, and the name of that run; None if it wasn't."""
    return next(
        ((origin, found[-1]) for origin in (Origin.RETRY, Origin.RESTART) if (found := announced(job, origin))), None
    )


def in_series(name: str, job: Mapping[str, Any], origin: Origin) -> bool:
    """Return whether a copy of that name got it from us and not from the user."""
    match = re.search(r"([0-9]{1,6})\Z", name)
    return match is not None and name == copy_name(job, int(match[1]), origin=origin)


def copy_number(job: Mapping[str, Any], *, origin: Origin) -> int:
    """Return the number of the next copy: one more than its own, if it is such a copy itself."""
    if origin is Origin.REDRIVE:
        return max(redrive_count(job), _own_number(job, origin)) + 1
    return _own_number(job, origin) + 1


def _own_number(job: Mapping[str, Any], origin: Origin) -> int:
    match = _numbered(job, origin)
    return int(match["number"]) if match else 0


def redrive_count(job: Mapping[str, Any]) -> int:
    """Return how often the job has been redriven."""
    text = annotation(job, _key(REDRIVE_COUNT))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def copy_name(job: Mapping[str, Any], number: int, *, origin: Origin) -> str:
    """Name a copy `<name>-r<number>` or `<name>-retry<number>`, at most 63 characters.

    Copies of such copies are numbered on, not stacked up.
    """
    match = _numbered(job, origin)
    suffix = f"{origin.suffix}{number}"
    base = match["base"] if match else name_of(job)
    return base[: _NAME_LIMIT - len(suffix)].rstrip("-.") + suffix


def _numbered(job: Mapping[str, Any], origin: Origin) -> re.Match[str] | None:
    """Split the name of a copy of the same series; None for any other job, even one that somebody named so."""
    if not any(annotation(job, _key(each)) for each in Origin if each.suffix == origin.suffix):
        return None
    return re.fullmatch(rf"(?P<base>.+){origin.suffix}(?P<number>[0-9]{{1,6}})", name_of(job))


def _key(name: str) -> str:
    return name.partition("/")[2]


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
    marks = {str(origin): meta["uid"], _COPY_OF: name_of(job)}
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


def going_on(copy: Object, job: Object, *, least_tokens: int = 0) -> Object:
    """Return the copy as one that goes on with the job's work: its programs see the same idempotency keys, and greater tokens.

    Args:
        copy: as built.
        job: the last one of the chain.
        least_tokens: how many tokens may have been used by jobs that are gone.

    Not if the tasks were changed: under the key of another piece of work, a new one would be dropped as done.
    """
    if _pieces(copy) != _pieces(job):
        return copy
    known = job["metadata"].get("annotations")
    # One more than is on record, for an attempt that nobody could account for. Gaps do no harm.
    tokens = tokens_before(known) + int((job.get("status") or {}).get("attemptCount") or 0) + 1
    work = {names.ANNOTATION_WORK: work_uid(known) or str(job["metadata"]["uid"])}
    marks = {**work, names.ANNOTATION_TOKENS: str(max(tokens, least_tokens))}
    meta = copy["metadata"]
    labels, annotations = {**meta["labels"], **work}, {**meta["annotations"], **marks}
    return {**copy, "metadata": {**meta, "labels": labels, "annotations": annotations}}


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
