"""The two ways to have done with a pod: end it, or let go of it once its end is on record. Used by all decisions on pods."""

from podwright.core.commands import Delete, Release
from podwright.core.model.pod import PodView


def release(pod: PodView) -> Release:
    """Take our finalizer off the pod. Its end must be on record, or of no more interest."""
    return Release(of=pod.owner, target=pod.ref, namespace=pod.namespace, name=pod.name)


def delete(pod: PodView, *, grace: int | None = None, cleanup: bool = False) -> Delete:
    """End the pod; without `grace`, with the seconds that it asked for itself. `cleanup` says that it may wait."""
    return Delete(
        of=pod.owner,
        target=pod.ref,
        namespace=pod.namespace,
        name=pod.name,
        grace=grace,
        cleanup=cleanup,
    )


def end(pod: PodView, *, grace: int | None = None) -> tuple[Delete, ...]:
    """End the pod unless it is being deleted already, and no later than `grace` asks for."""
    shortens = grace is not None and (pod.deletion_grace or 0.0) > grace
    if pod.deletion_requested is not None and not shortens:
        return ()
    return (delete(pod, grace=grace),)
