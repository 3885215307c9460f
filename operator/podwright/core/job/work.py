"""Which work a job does: its own, or that of a former job which it goes on with, as a redriven or retried one does. Pure.

Two annotations say so. They decide nothing but what programs get to know (`core.job.pod.environment`): the idempotency key stays the
same through a chain of such jobs, and the fencing tokens under that key go on growing. Annotations and namespaces are chosen by whoever
submits a job, so `trusted` is asked before each decision what a job may not claim.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from podwright.core.constants import names
from podwright.core.model.job import JobView

_UID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # so that it is a label's value, too
_TOKENS: Final = re.compile(r"[0-9]{1,15}")  # exact even where every number is a float


def work_uid(annotations: Mapping[str, Any] | None) -> str:
    """Return the uid of the first job of the chain; "" for a job that does its own work. What can't be a uid is ignored."""
    text = str((annotations or {}).get(names.ANNOTATION_WORK, ""))
    return text if _UID.fullmatch(text) else ""


def tokens_before(annotations: Mapping[str, Any] | None) -> int:
    """Return how many fencing tokens the former jobs of the chain may have used; 0 for a job that does its own work."""
    text = str((annotations or {}).get(names.ANNOTATION_TOKENS, ""))
    return int(text) if work_uid(annotations) and _TOKENS.fullmatch(text) else 0


def work_of(job: JobView) -> str:
    """Return the name by which the work of a job is known outside.

    The namespace is part of it: whatever uid somebody writes into an annotation, two namespaces never have a name in common.
    """
    return f"{job.namespace}/{job.work_uid or job.uid}"


def trusted(job: JobView, *, first: JobView | None, system_namespace: str) -> JobView:
    """Return the job, with a `problem` if it claims what it may not. `first` is the known job whose work it goes on with.

    A job that goes on with the work of another one gets that one's idempotency keys, which hold the namespace: what names a job of
    another one would not go on with its work, so its author is told while that job is known. Jobs in the operator's own namespace could use its service account.
    """
    if job.problem or job.status.is_over:
        return job
    problem = ""
    if job.namespace == system_namespace:
        problem = f"jobs can't run in {system_namespace}, the operator's own namespace: create the job in another one"
    elif first is not None and first.namespace != job.namespace:
        problem = f"the annotation {names.ANNOTATION_WORK} names a job of another namespace: a job can only go on with the work of one in its own"
    return msgspec.structs.replace(job, problem=problem) if problem else job
