"""What a decision on an array is made from, and its pods sorted by what they are to the record."""

from collections.abc import Collection, Sequence

import msgspec

from podwright.core.job.array.units import Units, open_tasks_of
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet
from podwright.core.view import JobView, PodView, Refusal


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one array.

    Attributes:
        job: the job.
        array: its array.
        units: its record, arranged.
        pods: all pods that it controls, those that vanished unrecorded included.
        creating: units whose pod's creation is under way.
        changing: names of pods of which another write is under way.
        refusal: the API server's last refusal of one of its pods, if any.
        now: Unix seconds.
        keep_until: the job must not end before, as a creation of unknown outcome may be on its way.
        recorded_at: when its status was last written, as far as is known.
        allowed: tasks that other jobs permit to run; None for all.
        missing: a job that doesn't exist (any more) although tasks wait for its tasks; "" if there is none.
        granted: how many pods may be asked for although one was refused for the time.
        room: how many creations the operator takes now.
        intended: under AtMostOnce, units that this process recorded as started and surely has not asked for.
    """

    job: JobView
    array: ArraySpec
    units: Units
    pods: Sequence[PodView]
    creating: Collection[int] = ()
    changing: Collection[str] = ()
    refusal: Refusal | None = None
    now: float
    keep_until: float = 0.0
    recorded_at: float = 0.0
    allowed: IndexSet | None = None
    missing: str = ""
    granted: int = 0
    room: int = 1_000_000
    intended: frozenset[int] = frozenset()


class SortedPods(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The pods of an array.

    Attributes:
        former: their ends are on record.
        ended: have ended, which is to be recorded.
        live: may still run.
        busy: units that have a pod, or may have one; none of them gets another.
    """

    former: tuple[PodView, ...]
    ended: tuple[PodView, ...]
    live: tuple[PodView, ...]
    busy: frozenset[int]


def sort_pods(look: Look) -> SortedPods:
    """Sort the pods. Of several of one attempt (one vanished, another came late) only one counts, a live one first."""
    former: list[PodView] = []
    ended: dict[int, PodView] = {}
    live: dict[int, PodView] = {}
    ahead: set[int] = set()
    for pod in look.pods:
        unit = pod.task_index
        if pod.attempt < look.units.attempts(unit) or _is_done(look, unit):
            former.append(pod)
        elif pod.attempt > look.units.attempts(unit) and pod.finished:
            ahead.add(unit)  # permitted by a record that we do not see yet; its counts are not known
        elif pod.finished:
            ended.setdefault(unit, pod)
        else:
            live[unit] = pod
    return SortedPods(
        former=tuple(former),
        ended=tuple(pod for unit, pod in ended.items() if unit not in live and unit not in ahead),
        live=tuple(live.values()),
        busy=frozenset(ended.keys() | live.keys() | ahead | set(look.creating)),
    )


def _is_done(look: Look, unit: int) -> bool:
    record = look.units.record
    if look.array.pack == 1:
        # Asked for every pod at every look, so as plainly as can be.
        return (
            unit in record.succeeded or unit in record.failed or unit in record.skipped or unit not in look.array.tasks
        )
    return not open_tasks_of(array=look.array, unit=unit, record=record)
