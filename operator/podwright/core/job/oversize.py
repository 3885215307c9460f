"""How large a job may be, and what becomes of one whose status doesn't fit beside it. Pure.

etcd takes 1.5 MiB for an object, the status may take `core.job.array.size.STATUS_LIMIT` of that. The admission policy `podwright-jobs`
lets in 256 KiB, so this is about jobs from before that rule, and about what it doesn't count. `stored_size`, asked by the codec of
jobs, counts what was stored all the same, with escapes and managed fields. Annotations and managed
fields can grow later: then parts are left out of the status. Where even that is too large: what can't be recorded must not be started. Pods that exist get some time, in which somebody may make the job smaller; then they are ended, and let go of without
a record once they have ended, so that they hold neither a node nor their namespace for ever. Asked by the controller of jobs beside
each decision.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from podwright.core.attempt import termination as pod_end
from podwright.core.commands import Command, Confirm, Decision, Delete, PatchChild, Release, WriteStatus
from podwright.core.model.job import JobStatus, JobView
from podwright.core.model.pod import PodView
from podwright.core.spec import ArraySpec

MOST_BYTES: Final = 1_100_000
ADMITTED_BYTES: Final = 262_144
"""What the admission policy `podwright-jobs` lets in of spec, labels, annotations, finalizers and owner references."""
LARGE: Final = 16_384
"""Bytes from which on it matters how large a job is; smaller ones cost the API server about the same."""
_LONGEST_LETTER: Final = 6  # bytes: \\u003c
PATIENCE: Final = 300.0
"""Seconds for which the pods of such a job go on: time to take an annotation off it."""
_FIRST_PAUSE: Final = 30.0
_LONGEST_PAUSE: Final = 3600.0
_SHORT: Final = 100
_NOTE: Final = " (parts left out: the job is too large)"


def stored_size(
    *,
    template: int,
    items: Sequence[str],
    annotations: Mapping[str, str] | None,
    labels: Mapping[str, str] | None,
    other_metadata: int = 0,
) -> int:
    """Return how many bytes a job has beside its status, nearly, as the API server stores it.

    `template` and `other_metadata` (finalizers, owner references, managed fields) are lengths as stored, in bytes.
    """
    size = template + other_metadata + 3 * len(items)
    for pairs in (annotations, labels):
        size += sum(len(key) + len(value) + 6 for key, value in pairs.items()) if pairs else 0
    letters = sum(len(item) for item in items)
    # How much escapes add need be counted only where it could matter.
    return size + (letters if size + _LONGEST_LETTER * letters <= MOST_BYTES else _stored_bytes("".join(items)))


def pod_size(template: int, *, array: ArraySpec | None) -> int:
    """Return how many bytes a pod that is built from a template of that length has, nearly: of an array, with its share of the items."""
    if array is None or not array.items:
        return template
    return template + sum(len(item) for item in array.items) * array.pack // len(array.items)


def if_large(size: int) -> int:
    """Return a size, but 0 for what costs the API server no more than any other object."""
    return size if size > LARGE else 0


def size_problem(size: int) -> str:
    """Return what is wrong with the size of a job, "" if nothing is."""
    if size <= MOST_BYTES:
        return ""
    return (
        f"the job takes {size:,} bytes, which leaves no room for its status: at most {MOST_BYTES:,} are allowed for template, items"
        " and metadata; pass large inputs by reference, or split spec.array.items over several jobs"
    )


def _stored_bytes(text: str) -> int:
    """Return what a text takes in the API server's JSON, which escapes `<`, `>`, `&` and two line separators in six bytes each."""
    size = len(msgspec.json.encode(text)) - 2
    return size + 5 * sum(text.count(letter) for letter in "<>&") + 3 * sum(text.count(one) for one in "\u2028\u2029")


class Oversize(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a job whose status did not fit.

    Attributes:
        version: the job's resourceVersion for which this holds; of any other nothing is known.
        hopeless: the shrunken status did not fit either.
        since: when that was first so (Unix seconds).
        tries: how often the shrunken status was refused.
        retry_at: when it is tried again (Unix seconds).
    """

    version: int
    hopeless: bool = False
    since: float = 0.0
    tries: int = 0
    retry_at: float = 0.0


def shrunken(status: JobStatus) -> JobStatus:
    """Return a status with no more than what decisions are made on: no outputs, short messages, the last attempt only."""
    message = status.message
    if len(message) > _SHORT + len(_NOTE) or not message.endswith(_NOTE):
        message = message[:_SHORT] + _NOTE
    return msgspec.structs.replace(
        status,
        message=message,
        outputs="",
        artifacts=(),
        attempts=tuple([msgspec.structs.replace(one, message=one.message[:_SHORT]) for one in status.attempts[-1:]]),
        stop=None
        if status.stop is None
        else msgspec.structs.replace(status.stop, message=status.stop.message[:_SHORT]),
        conditions=tuple([msgspec.structs.replace(one, message=one.message[:_SHORT]) for one in status.conditions]),
    )


def did_not_fit(command: WriteStatus, *, before: Oversize | None, now: float) -> Oversize:
    """Return what is known after a status write was refused for its size."""
    if before is None or before.version != command.resource_version:
        before = Oversize(version=command.resource_version)
    if command.status != shrunken(command.status):
        return before
    return Oversize(
        version=before.version,
        hopeless=True,
        since=before.since if before.hopeless else now,
        tries=before.tries + 1,
        retry_at=now + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(before.tries, 10)),
    )


def fitted(
    decision: Decision,
    *,
    oversize: Oversize,
    job: JobView,
    pods: Sequence[PodView],
    changing: Collection[str],
    now: float,
) -> Decision:
    """Return what is to be done of a decision on such a job. `changing` are names of pods of which a write is under way."""
    commands = tuple([_smaller(command) for command in decision.commands])
    if not oversize.hopeless:
        return Decision(commands=commands, requeue_at=decision.requeue_at)
    # The status of a job that is over only informs people now: that is tried again when the job changes.
    over = job.deleting or job.status.is_over
    due = not over and now >= oversize.retry_at
    kept = tuple(
        [command for command in commands if _is_possible(command) or (due and isinstance(command, WriteStatus))]
    )
    times = [] if decision.requeue_at is None else [decision.requeue_at]
    if not (over or due):
        times.append(oversize.retry_at)
    if not over:
        if now < oversize.since + PATIENCE:
            times.append(oversize.since + PATIENCE)
        else:
            done = {command.target for command in kept if isinstance(command, Delete | Release)}
            free = (pod for pod in pods if pod.ref not in done and pod.name not in changing and not pod.gone)
            kept += tuple([command for pod in free for command in _let_go(pod)])
    return Decision(commands=kept, requeue_at=min(times, default=None))


def _smaller(command: Command) -> Command:
    if not isinstance(command, WriteStatus):
        return command
    return msgspec.structs.replace(command, status=shrunken(command.status))


def _is_possible(command: Command) -> bool:
    """Return whether a command leaves nothing that would have to be recorded."""
    return isinstance(command, Confirm | Delete | PatchChild | Release)


def _let_go(pod: PodView) -> tuple[Command, ...]:
    if pod.finished:
        return (pod_end.release(pod),) if pod.held else ()
    return pod_end.end(pod)
