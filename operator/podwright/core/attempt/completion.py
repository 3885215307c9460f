"""Whether the work of a pod is done although the pod failed or runs on.

Injectors (service meshes, log shippers) add containers that the job's template doesn't have. One that runs on after the work, until
the attempt's time limit, or that ends badly beside it, makes the pod fail. And the kubelet fails a pod at its time limit if it has not
noticed by then, which may take it a second or two, that all containers have ended. To run finished work again for that would do harm.
"""

from collections.abc import Sequence
from typing import Final

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
_DEADLINE: Final = "DeadlineExceeded"  # of `activeDeadlineSeconds`
_NAMED: Final = 3  # containers in a message, so that it always has room for all it says


class LeftRunning(msgspec.Struct, frozen=True, gc=False):
    """What keeps a pod running after other containers ended well, in words; `injected` if that is nothing of the template's."""

    message: str
    injected: bool


def left_running(*, job: JobView, pod: PodView) -> LeftRunning | None:
    """Return what runs on in a pod of which containers of the job's template ended with 0; None if nothing does, or one failed."""
    if not pod.running_on or pod.completed is None or pod.failed or pod.containers_started is None:
        return None
    template = _template(job)
    own = [container.name for container in template.containers] if template is not None else []
    ended = [name for name in own if name not in pod.running_on]
    if not ended:
        return None
    verb = "runs" if len(pod.running_on) == 1 else "run"
    message = f"{_named(ended)} ended with exit code 0; {_named(pod.running_on)} still {verb}"
    return LeftRunning(message=message, injected=len(ended) == len(own))


def work_is_done(*, job: JobView, pod: PodView) -> bool:
    """Return whether all containers of the job's template ended with 0 by themselves, and only others failed, or none but in time.

    A container may also end with 0 because it was told to end: what ended no earlier than that is not known to be done. Of a pack
    only its report tells.
    """
    if pod.completed is None or (job.array is not None and job.array.pack > 1):
        return False
    if not pod.failed and pod.reason != _DEADLINE:
        return False
    template = _template(job)
    if template is None:
        return False
    own = {container.name for container in template.containers}
    if not own or any(container.name in own or container.exit_code is None for container in pod.failed):
        return False
    if own.intersection(pod.running_on) or pod.deletion_requested is not None or pod.disruption:
        return False
    if pod.reason != _DEADLINE:
        return True
    limits = [limit for limit in (job.attempt_timeout, template.active_deadline_seconds) if limit is not None]
    # Both times are the node's: it counts the limit from the time at which it took up the pod.
    return pod.started is not None and bool(limits) and pod.completed < pod.started + min(limits)


def _template(job: JobView) -> _Spec | None:
    try:
        return _TEMPLATE.decode(job.template).spec
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _named(containers: Sequence[str]) -> str:
    shown = list(containers[:_NAMED])
    if len(containers) > _NAMED:
        shown.append(f"{len(containers) - _NAMED} more")
    return f"container{'s' * (len(containers) != 1)} {' and '.join(shown)}"
