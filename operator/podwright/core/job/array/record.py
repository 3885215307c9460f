"""Counting ended attempts into an array's record: what the next status says of every task. The heart of the bookkeeping.

An attempt is counted when its pod has ended and the record says that this attempt is the unit's current one; one write
records any number of them. Counting twice is impossible: the count raises the unit's number of attempts or ends its tasks.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from podwright.core.attempt.retry import Counts, counts_of_group, group_of, limit_of, next_delay, used_up
from podwright.core.attempt.verdict import same_failure_on_nodes
from podwright.core.job.array.ends import UnitEnd
from podwright.core.job.array.size import fits
from podwright.core.job.array.suspicion import with_nodes
from podwright.core.job.at_most_once import may_start_again
from podwright.core.model.array import ArrayRecord, EndingGroup, RetryGroup
from podwright.core.model.attempt import Budget
from podwright.core.model.job import JobView
from podwright.core.model.units import Units, open_tasks_of
from podwright.core.spec import ArraySpec, DeliveryMode
from podwright.core.values.index_set import EMPTY, IndexSet

_MANY_GROUPS: Final = 200
_LONGEST_STEP: Final = 4096  # seconds
_Members = defaultdict[RetryGroup, list[tuple[int, int]]]  # what units have in common, and their ranges


def recorded(*, job: JobView, array: ArraySpec, units: Units, ends: Sequence[UnitEnd], now: float) -> ArrayRecord:
    """Return the record with `ends` counted in. The running tasks are left as they were."""
    before = units.record
    tally = _Tally(job=job, array=array, units=units, now=now)
    for end in ends:
        tally.count(end)
    succeeded = before.succeeded | IndexSet.of_ranges(tally.succeeded)
    failed = (before.failed | IndexSet.of_ranges(tally.failed)) - succeeded
    done = succeeded | failed
    # What ended is done, or may be started again: that it was started no longer matters.
    started = before.started - IndexSet.of(tally.ended)
    record = msgspec.structs.replace(
        before,
        succeeded=succeeded,
        failed=failed,
        started=started,
        ending=_still_ending(before.ending, ended=IndexSet.of(tally.ended)),
        not_retried=before.not_retried + tally.not_retried,
        never_started=_never_started(before, ends),
        retries=_grouped(tally, now=now),
        task_failures=_task_groups(tally, done=done),
    )
    return with_nodes(job=job, record=record, ends=ends)


def _never_started(before: ArrayRecord, ends: Sequence[UnitEnd]) -> bool:
    """Return whether none of the attempts that have ended had started: its pod was taken up by no node, or there never was one."""
    if before.any_ended and not before.never_started:
        return False
    unstarted = all(end.verdict.attempt.started is None and not end.succeeded for end in ends)
    return unstarted and (before.never_started or bool(ends))


def _still_ending(groups: Sequence[EndingGroup], *, ended: IndexSet) -> tuple[EndingGroup, ...]:
    left = (msgspec.structs.replace(group, indexes=group.indexes - ended) for group in groups)
    return tuple(group for group in left if group.indexes)


def recorded_as_fits(
    *, job: JobView, array: ArraySpec, units: Units, ends: Sequence[UnitEnd], now: float
) -> tuple[Sequence[UnitEnd], ArrayRecord]:
    """Count in as many ends as the record has room for, of the first units first; give those ends and the record."""

    def with_first(count: int) -> ArrayRecord:
        return recorded(job=job, array=array, units=units, ends=ordered[:count], now=now)

    ordered = ends
    record = with_first(len(ends))
    if not ends or fits(array=array, record=record):
        return ends, record
    ordered = sorted(ends, key=lambda end: end.unit)
    fitting, too_many, record = 0, len(ends), with_first(0)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        tried = with_first(middle)
        if fits(array=array, record=tried):
            fitting, record = middle, tried
        else:
            too_many = middle
    return ordered[:fitting], record


class _Tally:
    """What a number of ends changes; lives for one call. Tasks that nothing happened to are not looked at: they may be a million."""

    def __init__(self, *, job: JobView, array: ArraySpec, units: Units, now: float) -> None:
        self._job, self._array, self._units, self._now = job, array, units, now
        self.before = units.record
        self.succeeded: list[tuple[int, int]] = []
        self.failed: list[tuple[int, int]] = []
        self.not_retried = 0
        self.ended: list[int] = []
        self.states: dict[int, RetryGroup] = {}
        self.task_failures: dict[int, int] = {}

    def count(self, end: UnitEnd) -> None:
        """Record the end of one attempt."""
        record, verdict = self._units.record, end.verdict
        left = open_tasks_of(array=self._array, unit=end.unit, record=record)
        self.succeeded.extend((end.succeeded & left).ranges)
        left = left - end.succeeded
        ruled_out = end.given_up & left
        exhausted = IndexSet.of(task for task in end.failed & left if self._is_over(task))
        over = ruled_out | exhausted
        self.not_retried += len(ruled_out) + (0 if self._job.retry.limit else len(exhausted - ruled_out))
        counts = self._counts_after(end)
        given_up = verdict.failed and self._gives_up(end, counts)
        once = self._job.delivery is DeliveryMode.AT_MOST_ONCE
        if given_up or (once and not may_start_again(verdict.attempt)):
            known, over = over, left - end.unstarted
            if given_up and not over:
                over = left  # a task that never started has not failed, unless none did
            if not self._was_retried(end):
                self.not_retried += len(over - known)
        self.failed.extend(over.ranges)
        left = left - over
        self.ended.append(end.unit)
        if left:
            self.states[end.unit] = group_of(counts, due=self._due(end, counts))

    def _counts_after(self, end: UnitEnd) -> Counts:
        counts = counts_of_group(self._units.history(end.unit))
        # Failures that the tasks of a pack have reported are theirs; the pack itself ran well.
        return counts.after(budget=None) if end.reported else end.verdict.counted(counts)

    def _is_over(self, task: int) -> bool:
        failures = self._failures_of(task) + 1
        self.task_failures[task] = failures
        return failures > self._job.retry.limit

    def _failures_of(self, task: int) -> int:
        groups = self.before.task_failures
        return self.task_failures.get(task) or next((group.failed for group in groups if task in group.indexes), 0)

    def _gives_up(self, end: UnitEnd, counts: Counts) -> bool:
        if end.reported:
            return False
        if end.exhausted or end.verdict.final or self._fails_alike(end):
            return True
        if end.verdict.lost_node and counts.lost_nodes >= self._job.failure_policy.quarantine_after:
            return False  # it stays among those that may be tried again, from where it quarantines the job
        return used_up(policy=self._job.retry, counts=counts, budget=end.verdict.attempt.budget)

    def _was_retried(self, end: UnitEnd) -> bool:
        """Return whether a unit that is given up had retries, and no rule forbade them."""
        budget = end.verdict.attempt.budget
        if end.verdict.final or self._job.delivery is DeliveryMode.AT_MOST_ONCE:
            return False
        return (
            end.exhausted
            or self._fails_alike(end)
            or (budget is not None and limit_of(policy=self._job.retry, budget=budget) > 0)
        )

    def _fails_alike(self, end: UnitEnd) -> bool:
        """Return whether this very task failed in the same way on too many nodes, as far as the failures in status show."""
        most = self._job.failure_policy.same_failure_nodes
        if most is None:
            return False
        own = (known for known in self._job.status.attempts if known.index == end.unit and known.outcome is not None)
        return same_failure_on_nodes(attempts=own, last=end.verdict.attempt) >= most

    def _due(self, end: UnitEnd, counts: Counts) -> float | None:
        """Return when the unit may be tried again. Units that are recorded together and failed alike share the time."""
        if not end.verdict.failed:
            return None
        budget = end.verdict.attempt.budget
        if end.reported:
            most = max((self._failures_of(task) for task in end.failed), default=0)
            counts = Counts(attempts=counts.attempts, failed=most)
            budget = Budget.USER if most else None
        delay = next_delay(
            policy=self._job.retry,
            key=f"{self._job.uid}/{self._now}",
            counts=counts,
            budget=budget,
            asked=end.verdict.delay,
        )
        return self._now + delay


def _grouped(tally: "_Tally", *, now: float) -> tuple[RetryGroup, ...]:
    """Put units with equal counts together. A delay that is over is forgotten, so that groups become one again."""
    members: _Members = defaultdict(list)
    changed = IndexSet.of(tally.ended)
    for group in tally.before.retries:
        over = group.due is not None and group.due <= now
        state = msgspec.structs.replace(group, indexes=EMPTY, due=None if over else group.due)
        members[state].extend((group.indexes - changed).ranges)
    for unit, state in tally.states.items():
        members[state].append((unit, unit))
    groups = [
        msgspec.structs.replace(state, indexes=IndexSet.of_ranges(spans))
        for state, spans in _fewer(members).items()
        if spans
    ]
    return tuple(sorted(groups, key=lambda group: group.indexes.ranges))


def _fewer(members: _Members) -> _Members:
    """Let tasks wait somewhat longer, together, where too many different times would have to be kept.

    Only tasks whose counts are equal can share a group; one that has nobody to wait with keeps its time. However many different counts
    there are, some groups more may differ in their times only: to be one fewer is not worth an hour of waiting.
    """
    least = len({msgspec.structs.replace(state, due=None) for state in members})
    merged, step = members, 1
    while len(merged) > max(_MANY_GROUPS, least + _MANY_GROUPS // 2) and step < _LONGEST_STEP:
        step *= 2
        merged = _with_shared_times(members, step=step)
    return merged


def _with_shared_times(members: _Members, *, step: int) -> _Members:
    """Put tasks with equal counts together that are due within one step; they wait for the last of them."""
    last: dict[tuple[RetryGroup, int | None], float | None] = {}
    for state in members:
        key = _step_of(state, step)
        due = last.get(key)
        last[key] = state.due if due is None else max(due, state.due or 0.0)
    merged: _Members = defaultdict(list)
    for state, spans in members.items():
        merged[msgspec.structs.replace(state, due=last[_step_of(state, step)])].extend(spans)
    return merged


def _step_of(state: RetryGroup, step: int) -> tuple[RetryGroup, int | None]:
    number = None if state.due is None else math.floor(state.due / step)
    return msgspec.structs.replace(state, due=None), number


def _task_groups(tally: "_Tally", *, done: IndexSet) -> tuple[RetryGroup, ...]:
    spans: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    gone = done | IndexSet.of(tally.task_failures)
    for group in tally.before.task_failures:
        spans[group.failed].extend((group.indexes - gone).ranges)
    for task, count in tally.task_failures.items():
        if task not in done:
            spans[count].append((task, task))
    return tuple(
        RetryGroup(indexes=IndexSet.of_ranges(found), attempts=count, failed=count)
        for count, found in sorted(spans.items())
        if found
    )
