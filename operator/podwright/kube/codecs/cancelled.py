"""What can be read of a BatchJob that can't be read as a whole, but is cancelled: enough to end its pods and to say so.

Used by `codecs.page` after the whole object was refused. Nothing is ever started for a cancelled job, so a part that is not understood may
be left out. Of a job that isn't cancelled no part is used: what is left would be a guess.
"""

from typing import Final

import msgspec

from podwright.core.model.array import ArrayRecord
from podwright.core.model.job import JobView
from podwright.core.spec import ArraySpec, CancelMode
from podwright.core.values.index_set import IndexSet
from podwright.kube import poison
from podwright.kube.codecs.job import BatchJob, job_view

_TEMPLATE: Final = b"{}"  # nothing is made of it any more
_PARTS: Final = (
    "array",
    "dedupWindow",
    "deliveryMode",
    "idempotencyKey",
    "priority",
    "retention",
    "retry",
    "suspend",
    "timeouts",
    "ttlSecondsAfterFinished",
    "workerTimeoutSeconds",
)
_FAILURES: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
_DECODER: Final = msgspec.json.Decoder(BatchJob)


def cancelled_job_in_steps(data: bytes) -> poison.Steps[JobView | None]:
    """Return a view of a cancelled job without the parts of its spec that can't be read; None if it isn't cancelled.

    None also if its metadata or status can't be read: it would not be known whose the pods are, or what is on record.
    """
    if b'"cancel"' not in data:
        return None
    whole = yield from poison.members_in_steps(data, ("metadata", "spec", "status"))
    if not whole.get("spec", b"").startswith(b"{"):
        return None
    spec = yield from poison.members_in_steps(whole["spec"], ("cancel", *_PARTS))
    if poison.text_of(spec.get("cancel")) not in set(CancelMode):
        return None
    kept = {"template": _TEMPLATE, "cancel": spec["cancel"]}
    metadata, status = whole.get("metadata", b"null"), whole.get("status", b"null")
    if _view(metadata, kept, status) is None:
        return None
    for name in _PARTS:
        if name in spec and _view(metadata, {**kept, name: spec[name]}, b"null") is not None:
            kept[name] = spec[name]
        yield
    view = _view(metadata, kept, status)
    if view is None:
        return None
    if view.array is None and (view.status.array is not None or spec.get("array", b"null") != b"null"):
        view = msgspec.structs.replace(view, array=_recorded_array(view.status.array))
    return msgspec.structs.replace(view, problem="")


def _view(metadata: bytes, spec: dict[str, bytes], status: bytes) -> JobView | None:
    members = b",".join(b'"%s":%s' % (name.encode(), value) for name, value in spec.items())
    try:
        return job_view(_DECODER.decode(b'{"metadata":%s,"spec":{%s},"status":%s}' % (metadata, members, status)))
    except _FAILURES:
        return None


def _recorded_array(record: ArrayRecord | None) -> ArraySpec:
    """Return an array of the tasks that the status knows of, and of one if it knows of none."""
    sets: list[IndexSet] = []
    if record is not None:
        sets = [record.succeeded, record.failed, record.skipped, record.running, record.started, record.tried]
    size = 1 + max((stop for each in sets for _, stop in each.ranges), default=0)
    return ArraySpec(size=size, tasks=IndexSet.up_to(size))
