"""What a decision asks to be written, as data. The engine turns each into one API request.

All commands of one decision are independent of each other and may run in any order: what must come later is only
decided once the earlier write is seen in the state. Every command is safe to repeat, and carries the precondition
(deterministic name, uid or resourceVersion) that makes it harmless when its picture of the world is old.
"""

import msgspec

from podwright.core.values.index_set import EMPTY, IndexSet
from podwright.core.view import JobStatus


class CreatePod(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Create the pod of an attempt; the name is the lock.

    `tasks` are those that the pod of a pack runs; `task_index` is then the pack's. The attempt stays clear of the nodes
    `nodes_to_avoid`; `out_of_memory` is how often former attempts ran out of memory.
    """

    job_uid: str
    namespace: str
    job_name: str
    task_index: int
    attempt: int
    pod_name: str
    tasks: IndexSet = EMPTY
    nodes_to_avoid: tuple[str, ...] = ()
    out_of_memory: int = 0


class WriteStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Replace the job's status if its `resourceVersion` is still the one that was decided on.

    `deferrable` marks a write that only informs people; it is left out while more important writes wait.
    """

    job_uid: str
    namespace: str
    job_name: str
    resource_version: int
    status: JobStatus
    deferrable: bool = False


class DeletePod(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Delete exactly this pod (uid precondition). `grace` in seconds; None leaves the pod's own.

    `cleanup` marks a pod that has ended and is only no longer wanted; its deletion may wait for everything else.
    """

    job_uid: str
    namespace: str
    pod_name: str
    pod_uid: str
    grace: int | None = None
    cleanup: bool = False


class ReleasePod(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Take our finalizer off exactly this pod; only allowed once its end is recorded or its job is gone."""

    job_uid: str
    namespace: str
    pod_name: str
    pod_uid: str


class DeleteJob(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Delete a finished job whose time to live is over (uid and resourceVersion precondition)."""

    job_uid: str
    namespace: str
    job_name: str
    resource_version: int


class ConfirmPod(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask the API server itself for a pod that status knows and the cache does not: an absence in a cache proves nothing."""

    job_uid: str
    namespace: str
    pod_name: str
    pod_uid: str


class NoteProblem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tell on the status of a job that cannot be understood what is wrong with it, and change nothing else."""

    job_uid: str
    namespace: str
    job_name: str
    resource_version: int
    message: str


class ClaimKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Make a job the holder of its idempotency key: create the key's Lease, or take over one whose time is over.

    `window` is the job's `dedupWindow` in seconds, `at` the time of the decision. `replaced_uid` and `replaced_version` are those
    of the very Lease that was judged to be over; empty to create one.
    """

    job_uid: str
    namespace: str
    job_name: str
    lease_name: str
    window: float
    at: float
    replaced_uid: str = ""
    replaced_version: str = ""


Command = CreatePod | WriteStatus | DeletePod | ReleasePod | DeleteJob | ConfirmPod | NoteProblem | ClaimKey


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The result of looking at one object: what to write now, and when to look again without an event (Unix seconds)."""

    commands: tuple[Command, ...] = ()
    requeue_at: float | None = None
