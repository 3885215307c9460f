"""Counting ended attempts into an array's record: what the next status says of every task. The heart of the bookkeeping.

An attempt is counted when its pod has ended and the record says that this attempt is the unit's current one; one write
records any number of them. Counting twice is impossible: the count raises the unit's number of attempts or ends its tasks.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from podwright.core.array.counts import charged, due_at, used_up
from podwright.core.array.ends import UnitEnd
from podwright.core.array.units import Units, tasks_of
from podwright.core.index_set import EMPTY, IndexSet
from podwright.core.spec import ArraySpec, DeliveryMode
from podwright.core.view import ArrayRecord, JobView, Outcome, RetryGroup


def recorded(*, job: JobView, array: ArraySpec, units: Units, ends: Iterable[UnitEnd], now: float) -> ArrayRecord:
    """Give the record with `ends` counted in. The running tasks are left as they were."""
    before = units.record
    tally = _Tally(job=job, array=array, units=units, now=now)
    for end in ends:
        tally.count(end)
    succeeded = before.succeeded | IndexSet.of_ranges(tally.succeeded)
    failed = (before.failed | IndexSet.of_ranges(tally.failed)) - succeeded
    done = succeeded | failed
    return msgspec.structs.replace(
        before,
        succeeded=succeeded,
        failed=failed,
        retries=_grouped(tally.states, job=job, now=now),
        task_failures=_task_groups(tally.task_failures, done=done),
    )


class _Tally:
    """The counts while they are taken; lives for one call."""

    def __init__(self, *, job: JobView, array: ArraySpec, units: Units, now: float) -> None:
        self._job, self._array, self._units, self._now = job, array, units, now
        self.succeeded: list[tuple[int, int]] = []
        self.failed: list[tuple[int, int]] = []
        self.states: dict[int, RetryGroup] = dict(units.groups)
        self.task_failures: dict[int, int] = {
            task: group.failed for group in units.record.task_failures for task in group.indexes
        }

    def count(self, end: UnitEnd) -> None:
        """Take in the end of one attempt."""
        record = self._units.record
        left = tasks_of(array=self._array, unit=end.unit) - record.succeeded - record.failed
        self.succeeded.extend((end.succeeded & left).ranges)
        left = left - end.succeeded
        over = [task for task in end.failed & left if self._is_over(task)]
        left = left - IndexSet.of(over)
        self.failed.extend((task, task) for task in over)
        history = charged(self._units.history(end.unit), end.budget, out_of_memory=end.attempt.reason == "OOMKilled")
        if left and end.attempt.outcome is not Outcome.STOPPED and self._ends_with(history):
            self.failed.extend(left.ranges)
            left = EMPTY
        if not left:
            self.states.pop(end.unit, None)
            return
        waits = end.attempt.outcome is not Outcome.STOPPED
        self.states[end.unit] = msgspec.structs.replace(
            history, indexes=EMPTY, since=float(int(self._now)) if waits else None, delay=end.delay
        )

    def _is_over(self, task: int) -> bool:
        failures = self.task_failures.get(task, 0) + 1
        self.task_failures[task] = failures
        return failures > self._job.retry.limit or self._job.delivery is DeliveryMode.AT_MOST_ONCE

    def _ends_with(self, history: RetryGroup) -> bool:
        return used_up(history, policy=self._job.retry) or self._job.delivery is DeliveryMode.AT_MOST_ONCE


def _grouped(states: dict[int, RetryGroup], *, job: JobView, now: float) -> tuple[RetryGroup, ...]:
    """Put units with equal counts together. A delay that is over is forgotten, so that groups become one again."""
    alike: defaultdict[RetryGroup, list[int]] = defaultdict(list)
    for unit, state in states.items():
        alike[msgspec.structs.replace(state, indexes=EMPTY)].append(unit)
    members: defaultdict[RetryGroup, list[int]] = defaultdict(list)
    for state, units in alike.items():
        over = due_at(state, policy=job.retry, job_uid=job.uid) <= now
        members[msgspec.structs.replace(state, since=None, delay=None) if over else state].extend(units)
    groups = [msgspec.structs.replace(state, indexes=IndexSet.of(units)) for state, units in members.items()]
    return tuple(sorted(groups, key=lambda group: group.indexes.ranges))


def _task_groups(failures: dict[int, int], *, done: IndexSet) -> tuple[RetryGroup, ...]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for task, count in failures.items():
        if task not in done:
            members[count].append(task)
    return tuple(
        RetryGroup(indexes=IndexSet.of(tasks), attempts=count, failed=count) for count, tasks in sorted(members.items())
    )
