"""A pod of an attempt as policies see it: a frozen, slim picture, since thousands stay in memory.

`kube.codecs` makes it from the API object, the store keeps it. Times are seconds since the Unix epoch, durations seconds.
"""

import enum

import msgspec

from podwright.core.values.ref import JOB, POD, Ref


class PodPhase(enum.StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class FailedContainer(msgspec.Struct, frozen=True, gc=False):
    """A container that ended with another exit code than 0, or None if what is said to be one is nobody's.

    `signal` is a name such as SIGKILL, "" if none ended it.
    """

    name: str
    exit_code: int | None
    signal: str = ""
    reason: str = ""


class PodView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pod of one attempt.

    `started` is when the kubelet took it up, before it pulled any image; `containers_started` is when the last of its
    containers began to run, None unless all of them have.
    `failed` are the containers that decided a failure, by the time of their end. `message` is the first's termination message; of a success the
    first there is. `conditions` are pairs of type and status, without those that every pod has.
    `held` tells whether our finalizer keeps the pod until its end is on record; with bulk accounting it never has one.
    `deletion_requested` is when the deletion was asked for, not the `deletionTimestamp`, which lies `deletion_grace` later.
    `completed` is when the last container with exit code 0 ended, if others failed or run on, or the pod failed although all ended so;
    those that run on are in `running_on`.
    `gone` marks a pod that the API server no longer has although its end was never recorded.
    `lacks` are the marks of ours that the pod was created with and does not have (`core.job.identity`). Without the label of the
    job's uid no watch reports it.
    """

    uid: str
    namespace: str
    name: str
    resource_version: int
    job_uid: str
    job_name: str
    task_index: int
    attempt: int
    created: float
    held: bool
    phase: PodPhase = PodPhase.PENDING
    node: str = ""
    started: float | None = None
    containers_started: float | None = None
    ended: float | None = None
    deletion_requested: float | None = None
    deletion_grace: float | None = None
    termination_grace: float = 30.0
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""
    disruption: str = ""
    failed: tuple[FailedContainer, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    completed: float | None = None
    running_on: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    gone: bool = False

    @property
    def recorded_uid(self) -> str:
        """Return the uid that the record of its attempt holds: "" for a stand-in of a pod that nobody has seen (`stand_in_uid`)."""
        return "" if "/" in self.uid else self.uid

    @property
    def ref(self) -> Ref:
        """Return the pod's reference."""
        return Ref(POD, self.uid)

    @property
    def owner(self) -> Ref:
        """Return the reference of the job that controls the pod."""
        return Ref(JOB, self.job_uid)

    @property
    def finished(self) -> bool:
        """Return whether no container of this pod runs or will ever run again."""
        if self.gone or self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED):
            return True
        # The API server refuses to bind a pod that is being deleted, so one without a node can never start.
        return self.deletion_requested is not None and not self.node

    @property
    def unsettled(self) -> bool:
        """Return whether the pod is there and something may be left to do about it: it is held, or may still run."""
        return not self.gone and (self.held or not self.finished)


def stand_in_uid(*, job_uid: str, name: str) -> str:
    """Return a uid for a pod of a job that nobody has seen, only its name: of its own among the pods of all jobs, and no pod's."""
    return f"{job_uid}/{name}"
