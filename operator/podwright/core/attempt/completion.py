"""Whether the work of a pod was done although the pod failed: what failed is only what somebody else put into it.

Injectors (service meshes, log shippers) add containers that the job's template doesn't have. One that runs on after the work, until
the attempt's time limit, or that ends badly beside it, makes the pod fail; to run finished work again for that would do harm.
"""

import msgspec

from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView


class _Container(msgspec.Struct, gc=False):
    name: str = ""


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    containers: list[_Container] = []
    active_deadline_seconds: float | None = None


class _Template(msgspec.Struct, gc=False):
    spec: _Spec


_TEMPLATE = msgspec.json.Decoder(_Template)


def work_is_done(*, job: JobView, pod: PodView) -> bool:
    """Return whether all containers of the job's template ended with 0 by themselves, and only others failed.

    A container may also end with 0 because it was told to end: what ended no earlier than that is not known to be done. Of a pack
    only its report tells.
    """
    if not pod.failed or pod.completed is None or (job.array is not None and job.array.pack > 1):
        return False
    try:
        template = _TEMPLATE.decode(job.template).spec
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    own = {container.name for container in template.containers}
    if not own or any(container.name in own or container.exit_code is None for container in pod.failed):
        return False
    if pod.deletion_requested is not None or pod.disruption:
        return False
    if pod.reason != "DeadlineExceeded":
        return True
    limits = [limit for limit in (job.attempt_timeout, template.active_deadline_seconds) if limit is not None]
    # Both times are the node's: it counts the limit from the time at which it took up the pod.
    return pod.started is not None and bool(limits) and pod.completed < pod.started + min(limits)
