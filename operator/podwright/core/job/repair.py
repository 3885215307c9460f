"""Which marks are put back on a pod that lost them, mostly to a mutating policy. Pure; asked by the engine beside each decision.

A pod without the label of its job's uid is reported by no watch. The patch that puts the label back is answered with the whole pod, so
where it has no effect, it serves as the read that stands in for the watch.
"""

from typing import Final

from podwright.core.commands import PatchChild
from podwright.core.constants import names
from podwright.core.job.identity import OWNER_REFERENCE
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView

PAUSE: Final = 10.0
"""Seconds between two patches of a pod that keeps losing its labels."""


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


def is_unwatched(pod: PodView) -> bool:
    """Return whether no watch reports the pod, so that its absence there tells nothing."""
    return names.LABEL_JOB_UID in pod.lacks
