"""What is wrong with a job's pod template given what Podwright is asked to add to it. Asked when a job is decoded, like `problem`."""

from typing import Any

import msgspec

from podwright.core.job.pack.problem import pack_problem
from podwright.core.job.pod.heartbeat import heartbeat_problem
from podwright.core.spec import ArraySpec


def template_problem(*, template: bytes, array: ArraySpec | None, progress: float | None) -> str:
    """Return what is wrong, "" if nothing is. Most jobs ask for nothing, so most templates aren't even read.

    Args:
        template: the JSON of `spec.template`.
        array: the view of `spec.array`.
        progress: the seconds of `spec.timeouts.progress`.

    Raises:
        msgspec.DecodeError: the template is not the JSON object that the CRD's schema promises.
    """
    packs = array is not None and array.pack > 1
    if not packs and progress is None:
        return ""
    spec = msgspec.json.decode(template, type=dict[str, Any]).get("spec") or {}
    problem = pack_problem(spec=spec, array=array) if packs and array is not None else ""
    return problem or (heartbeat_problem(spec) if progress is not None else "")
