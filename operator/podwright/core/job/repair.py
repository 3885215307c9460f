"""What the cluster does to pods of a job, and what the job's status says of it. Pure; asked by the engine beside each decision.

Marks that a pod lost, mostly to a mutating policy, are put back. A pod that may not be changed is tried again, and named.
A pod without the label of its job's uid is reported by no watch. The patch that puts the label back is answered with the whole pod, so
where it has no effect, it serves as the read that stands in for the watch.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from podwright.core.commands import Decision, PatchChild, WriteStatus
from podwright.core.constants import names
from podwright.core.constants.reasons import Reason
from podwright.core.job.identity import OWNER_REFERENCE
from podwright.core.job.status import write_status
from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase
from podwright.core.model.pod import PodView

PAUSE: Final = 10.0
"""Seconds between two patches of a pod that keeps losing its labels."""
REPORT_AFTER: Final = 3 * PAUSE
"""Seconds after which the job's status says that its pod can't keep them."""
_REPORTED_IN: Final = (Phase.PENDING, Phase.RUNNING)
_MESSAGE_LIMIT: Final = 1024


def repaired(pod: PodView, *, job: JobView) -> PatchChild:
    """Return the patch that puts back what the pod of the job lacks."""
    values = {
        names.LABEL_JOB: job.name,
        names.LABEL_JOB_UID: job.uid,
        names.LABEL_TASK_INDEX: str(pod.task_index),
        names.LABEL_ATTEMPT: str(pod.attempt),
    }
    owner = OWNER_REFERENCE in pod.lacks
    return PatchChild(
        of=job.ref,
        target=pod.ref,
        namespace=pod.namespace,
        name=pod.name,
        labels=tuple([(label, values[label]) for label in pod.lacks if label in values]),
        owner=job.name if owner else "",
        resource_version=pod.resource_version if owner else None,
    )


def lost_labels(pod: PodView, *, since: float) -> str:
    """Return what the status says of a pod that can't keep its labels."""
    return f"pod {pod.name} lacks {', '.join(pod.lacks)} since {datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}: something in the cluster takes it off again"


def change_refused(pod: str, *, words: str) -> str:
    """Return what the status says of a pod that Podwright may not change."""
    return f"pod {pod} can't be changed or deleted: {words}"


def reporting(decision: Decision, *, job: JobView, reason: Reason, message: str) -> Decision:
    """Return the decision with the status reporting what ails a pod: by the write that is due, or one if none is."""
    if job.status.phase not in _REPORTED_IN:
        return decision
    others = tuple([one for one in decision.commands if not isinstance(one, WriteStatus)])
    writes = [one for one in decision.commands if isinstance(one, WriteStatus)]
    if any(not one.deferrable for one in writes):
        return decision  # something happened, and that comes first
    status = writes[0].status if writes else job.status
    told = msgspec.structs.replace(
        status, reason=reason, message=message[:_MESSAGE_LIMIT], conditions=job.status.conditions
    )
    write = () if told == job.status else (write_status(job=job, status=told, deferrable=True),)
    return Decision(commands=(*others, *write), requeue_at=decision.requeue_at)


def is_unwatched(pod: PodView) -> bool:
    """Return whether no watch reports the pod, so that its absence there tells nothing."""
    return names.LABEL_JOB_UID in pod.lacks
