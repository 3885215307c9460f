"""The two ways to have done with a pod: end it, or let go of it once its end is on record. Used by all decisions on pods."""

from podwright.core.commands import DeletePod, ReleasePod
from podwright.core.view import PodView


def release(pod: PodView) -> ReleasePod:
    """Take our finalizer off the pod. Its end must be on record, or of no more interest."""
    return ReleasePod(job_uid=pod.job_uid, namespace=pod.namespace, pod_name=pod.name, pod_uid=pod.uid)


def delete(pod: PodView, *, grace: int | None = None, cleanup: bool = False) -> DeletePod:
    """End the pod; without `grace`, with the seconds that it asked for itself. `cleanup` says that it may wait."""
    return DeletePod(
        job_uid=pod.job_uid,
        namespace=pod.namespace,
        pod_name=pod.name,
        pod_uid=pod.uid,
        grace=grace,
        cleanup=cleanup,
    )


def end(pod: PodView, *, grace: int | None = None) -> tuple[DeletePod, ...]:
    """End the pod unless it is being deleted already, and no later than `grace` asks for."""
    shortens = grace is not None and (pod.deletion_grace or 0.0) > grace
    if pod.deletion_requested is not None and not shortens:
        return ()
    return (delete(pod, grace=grace),)
