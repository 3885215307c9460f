"""A job that is over, single or array: let go of its pods, and delete them, and it, when their time has come."""

from collections.abc import Sequence

from podwright.core.attempt import termination as pod_end
from podwright.core.attempt.ending import recorded_end
from podwright.core.commands import Command, Decision, Delete
from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.run.retention import expires_at, pods_expire_at


def decide(*, job: JobView, pods: Sequence[PodView], now: float, keep_until: float) -> Decision:
    """Decide on a job that is over, single or array: let go of its pods, and delete it when its time has come."""
    settle = tuple(command for pod in pods if pod.unsettled for command in _let_go(job=job, pod=pod))
    if settle:
        return Decision(commands=settle)
    expires = expires_at(job)
    if expires is not None:
        expires = max(expires, keep_until)
        if now >= expires:
            delete = Delete(
                of=job.ref,
                target=job.ref,
                namespace=job.namespace,
                name=job.name,
                resource_version=job.resource_version,
            )
            return Decision(commands=(delete,))
    # That a pod is still there is all that has to be known of what is left to do: it needs no record and no list.
    unwanted = tuple(pod for pod in pods if pod.deletion_requested is None and not pod.gone)
    due = pods_expire_at(job) if unwanted else None
    if due is not None and now >= due:
        return Decision(commands=tuple(pod_end.delete(pod, cleanup=True) for pod in unwanted), requeue_at=expires)
    return Decision(requeue_at=_earliest(expires, due))


def _let_go(*, job: JobView, pod: PodView) -> tuple[Command, ...]:
    if pod.finished or pod.deletion_requested is not None or recorded_end(status=job.status, pod=pod):
        return (pod_end.release(pod),) if pod.held else ()
    # No attempt of a finished job may run: such a pod was never permitted by the record.
    return (pod_end.delete(pod),)


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
