"""The commands about the pod of one attempt: create it, or ask the API server itself for it. Used by all that starts attempts."""

import msgspec

from podwright.core.commands import Confirm, CreateChild
from podwright.core.model.job import JobView
from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.core.values.ref import POD


class AttemptPod(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the pod of an attempt is made from, beside its job.

    `tasks` are those that the pod of a pack runs; `task_index` is then the pack's. The attempt stays clear of the nodes
    `nodes_to_avoid`; `out_of_memory` is how often former attempts ran out of memory.
    """

    task_index: int
    attempt: int
    tasks: IndexSet = EMPTY
    nodes_to_avoid: tuple[str, ...] = ()
    out_of_memory: int = 0


def create_pod(*, job: JobView, name: str, pod: AttemptPod) -> CreateChild:
    """Create the pod of an attempt."""
    return CreateChild(of=job.ref, kind=POD, namespace=job.namespace, name=name, spec=pod)


def confirm_pod(*, job: JobView, name: str) -> Confirm:
    """Ask the API server itself for a pod of the job."""
    return Confirm(of=job.ref, kind=POD, namespace=job.namespace, name=name)
