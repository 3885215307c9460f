"""The pods of an array, sorted by what they are to its record."""

import msgspec

from podwright.core.job.snapshot import Snapshot
from podwright.core.model.pod import PodView
from podwright.core.model.units import open_tasks_of


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


def sort_pods(snapshot: Snapshot) -> SortedPods:
    """Sort the pods. Of several of one attempt (one vanished, another came late) only one counts, a live one first."""
    former: list[PodView] = []
    ended: dict[int, PodView] = {}
    live: dict[int, PodView] = {}
    ahead: set[int] = set()
    for pod in snapshot.pods:
        unit = pod.task_index
        if pod.attempt < snapshot.units.attempts(unit) or _is_done(snapshot, unit):
            former.append(pod)
        elif pod.attempt > snapshot.units.attempts(unit) and pod.finished:
            ahead.add(unit)  # permitted by a record that we do not see yet; its counts are not known
        elif pod.finished:
            ended.setdefault(unit, pod)
        else:
            live[unit] = pod
    return SortedPods(
        former=tuple(former),
        ended=tuple(pod for unit, pod in ended.items() if unit not in live and unit not in ahead),
        live=tuple(live.values()),
        busy=frozenset(ended.keys() | live.keys() | ahead | set(snapshot.creating)),
    )


def _is_done(snapshot: Snapshot, unit: int) -> bool:
    record = snapshot.units.record
    if snapshot.array.pack == 1:
        # Asked for every pod at every snapshot, so as plainly as can be.
        return (
            unit in record.succeeded
            or unit in record.failed
            or unit in record.skipped
            or unit not in snapshot.array.tasks
        )
    return not open_tasks_of(array=snapshot.array, unit=unit, record=record)
