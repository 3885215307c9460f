"""Counting ended attempts: what becomes of the tasks, and of their budgets."""

from typing import Any

import msgspec
import pytest

from podwright.core.attempt.verdict import Verdict
from podwright.core.job.array.ends import UnitEnd
from podwright.core.job.array.record import recorded
from podwright.core.job.array.size import MOST_GROUPS
from podwright.core.model.array import ArrayRecord, RetryGroup
from podwright.core.model.attempt import Attempt, Budget, Outcome
from podwright.core.model.units import units_of
from podwright.core.spec import ArraySpec, DeliveryMode, RetryPolicy
from podwright.core.values.index_set import IndexSet
from tests.support.builders import CREATED
from tests.unit.core.job.array.builders import array_job, make_array, record_of

NOW = CREATED + 50.5
FAILED, SUCCEEDED, STOPPED, LOST = Outcome.FAILED, Outcome.SUCCEEDED, Outcome.STOPPED, Outcome.LOST


def end(unit: int, outcome: Outcome, budget: Budget | None = None, **changes: Any) -> UnitEnd:
    """Build the end of an attempt."""
    attempt = Attempt(
        index=unit, number=0, pod_name="p", outcome=outcome, budget=budget, started=changes.pop("started", None)
    )
    verdict = Verdict(attempt=attempt, out_of_memory=changes.pop("out_of_memory", False))
    done = {"succeeded": IndexSet.of([unit])} if outcome is SUCCEEDED else {}
    return UnitEnd(unit=unit, verdict=verdict, **{**done, **changes})


def count(*ends: UnitEnd, before: ArrayRecord | None = None, array: ArraySpec | None = None, **job: Any) -> ArrayRecord:
    """Count ends into a record."""
    array = array or make_array(10)
    return recorded(job=array_job(array, **job), array=array, units=units_of(before), ends=ends, now=NOW)


def test_successes_are_joined() -> None:
    record = count(end(1, SUCCEEDED), end(0, SUCCEEDED), end(5, SUCCEEDED), before=record_of(succeeded="2-3"))
    assert (str(record.succeeded), str(record.failed), record.retries) == ("0-3,5", "", ())


TRIED = (RetryGroup(indexes=IndexSet.of([7]), attempts=1),)


@pytest.mark.parametrize(
    ("before", "ends", "never"),
    [
        pytest.param({}, [], False, id="D14 nothing ended"),
        pytest.param({}, [end(1, STOPPED)], True, id="D14 stopped before a node"),
        pytest.param({}, [end(1, FAILED, Budget.USER)], True, id="D14 failed before a node"),
        pytest.param({}, [end(1, STOPPED, started=NOW)], False, id="D14 stopped on a node"),
        pytest.param({}, [end(1, STOPPED), end(2, STOPPED, started=NOW)], False, id="D14 one on a node"),
        pytest.param({}, [end(1, SUCCEEDED)], False, id="D14 success counts whatever is known of the start"),
        pytest.param({"retries": TRIED}, [end(1, STOPPED)], False, id="D14 others had started"),
        pytest.param({"retries": TRIED, "never_started": True}, [end(1, STOPPED)], True, id="D14 others had not"),
        pytest.param({"retries": TRIED, "never_started": True}, [], True, id="D14 kept"),
        pytest.param({"retries": TRIED, "never_started": True}, [end(7, STOPPED, started=NOW)], False, id="D14 now"),
        pytest.param({"failed": IndexSet.of([7]), "given_up": 1}, [end(1, STOPPED)], True, id="D14 given up"),
    ],
)
def test_whether_anything_ever_started(before: dict[str, Any], ends: list[UnitEnd], never: bool) -> None:
    assert count(*ends, before=ArrayRecord(**before)).never_started is never


def test_failures_wait_together_and_count_apart() -> None:
    record = count(end(4, FAILED, Budget.USER), end(2, FAILED, Budget.USER), end(3, LOST, Budget.PLATFORM))
    assert [msgspec.structs.replace(group, due=None) for group in record.retries] == [
        RetryGroup(indexes=IndexSet.parse("2,4"), attempts=1, failed=1),
        RetryGroup(indexes=IndexSet.parse("3"), attempts=1, platform=1),
    ]
    assert all(group.due is not None and NOW <= group.due <= NOW + 10 for group in record.retries)


@pytest.mark.parametrize(
    ("history", "budget", "policy", "over"),
    [
        ({"failed": 2}, Budget.USER, RetryPolicy(limit=2), True),
        ({"failed": 1}, Budget.USER, RetryPolicy(limit=2), False),
        ({"failed": 2, "platform": 9}, Budget.PLATFORM, RetryPolicy(limit=2), False),
        ({"failed": 2, "platform": 10}, Budget.PLATFORM, RetryPolicy(limit=2), True),
        ({"failed": 2}, None, RetryPolicy(limit=2), False),
        ({"failed": 2}, Budget.TIMEOUT, RetryPolicy(limit=2, timeout_limit=1), False),
        ({"timeouts": 1}, Budget.TIMEOUT, RetryPolicy(limit=2, timeout_limit=1), True),
        ({}, Budget.USER, RetryPolicy(limit=0), True),
    ],
)
def test_a_task_fails_for_good_when_a_budget_is_used_up(
    history: dict[str, int], budget: Budget | None, policy: RetryPolicy, over: bool
) -> None:
    before = record_of(retries=(RetryGroup(indexes=IndexSet.parse("3"), attempts=sum(history.values()), **history),))
    record = count(end(3, FAILED, budget), before=before, retry=policy)
    assert (3 in record.failed) is over
    assert bool(record.retries) is not over


def test_a_stopped_attempt_costs_nothing_and_may_go_on_at_once() -> None:
    record = count(end(3, STOPPED), retry=RetryPolicy(limit=0))
    assert record.retries == (RetryGroup(indexes=IndexSet.parse("3"), attempts=1),)


def test_at_most_once_means_no_second_attempt() -> None:
    record = count(end(3, LOST, Budget.PLATFORM), delivery=DeliveryMode.AT_MOST_ONCE)
    assert (str(record.failed), record.retries) == ("3", ())


def test_a_success_after_failures_ends_their_record() -> None:
    before = record_of(retries=(RetryGroup(indexes=IndexSet.parse("3-4"), attempts=1, failed=1),))
    record = count(end(3, SUCCEEDED), before=before)
    assert str(record.succeeded) == "3"
    assert record.retries == (RetryGroup(indexes=IndexSet.parse("4"), attempts=1, failed=1),)


def test_delays_that_are_over_are_forgotten() -> None:
    """So groups of different times become one, and the record stays small."""
    groups = (
        RetryGroup(indexes=IndexSet.parse("1"), attempts=1, failed=1, due=NOW - 500),
        RetryGroup(indexes=IndexSet.parse("2"), attempts=1, failed=1, due=NOW),
    )
    assert count(before=record_of(retries=groups)).retries == (
        RetryGroup(indexes=IndexSet.parse("1-2"), attempts=1, failed=1),
    )


def test_delays_are_brought_together_before_there_are_more_than_a_status_holds() -> None:
    """Each task asks for a delay of its own; none waits for less than that, nor for much longer."""
    array = make_array(3000)
    record, asked = ArrayRecord(), {}
    for batch in range(0, 3000, 1000):
        told = []
        for unit in range(batch, batch + 1000):
            asked[unit] = 60 + unit
            failed = end(unit, FAILED, Budget.USER)
            told.append(
                msgspec.structs.replace(failed, verdict=msgspec.structs.replace(failed.verdict, delay=asked[unit]))
            )
        record = count(*told, before=record, array=array)
    assert len(record.retries) <= MOST_GROUPS
    waits = {unit: group.due - NOW for group in record.retries if group.due for unit in group.indexes}
    assert len(waits) == 3000
    assert all(asked[unit] <= wait <= asked[unit] + 16 for unit, wait in waits.items())


def test_running_out_of_memory_is_counted() -> None:
    (group,) = count(end(3, FAILED, Budget.USER, out_of_memory=True)).retries
    assert group.out_of_memory == 1


class TestPacks:
    """One pod, many tasks: each counts for itself, and the pod's own failure for those that it left."""

    array = make_array(10, pack=5)

    def test_what_is_not_known_to_be_done_runs_again(self) -> None:
        done = end(1, LOST, Budget.PLATFORM, succeeded=IndexSet.parse("5-6"))
        record = count(done, array=self.array)
        assert (str(record.succeeded), str(record.failed)) == ("5-6", "")
        assert [(str(group.indexes), group.attempts, group.platform) for group in record.retries] == [("1", 1, 1)]

    def test_failed_tasks_have_a_budget_each(self) -> None:
        told = {"reported": True}
        ended = end(0, FAILED, Budget.USER, succeeded=IndexSet.parse("0-2"), failed=IndexSet.parse("3-4"), **told)
        once = count(ended, array=self.array, retry=RetryPolicy(limit=1))
        assert [(str(group.indexes), group.failed) for group in once.task_failures] == [("3-4", 1)]
        again = end(0, FAILED, Budget.USER, succeeded=IndexSet.parse("3"), failed=IndexSet.parse("4"), **told)
        twice = count(again, before=once, array=self.array, retry=RetryPolicy(limit=1))
        assert (str(twice.succeeded), str(twice.failed), twice.retries, twice.task_failures) == ("0-3", "4", (), ())

    def test_a_report_about_others_tasks_is_not_believed(self) -> None:
        record = count(end(0, SUCCEEDED, succeeded=IndexSet.parse("0-9")), array=self.array)
        assert str(record.succeeded) == "0-4"

    def test_a_pod_that_failed_although_its_tasks_told_of_nothing_costs_the_pack(self) -> None:
        record = count(end(0, FAILED, Budget.USER, succeeded=IndexSet.parse("0")), array=self.array)
        assert [(str(group.indexes), group.failed) for group in record.retries] == [("0", 1)]
        assert record.task_failures == ()

    def test_what_a_rule_gives_up_fails_at_once_and_what_is_free_does_not_count(self) -> None:
        given_up, free = IndexSet.parse("1"), IndexSet.parse("2")
        told = end(0, FAILED, None, succeeded=IndexSet.parse("0,3-4"), given_up=given_up, free=free, reported=True)
        record = count(told, array=self.array, retry=RetryPolicy(limit=0))
        assert (str(record.failed), record.task_failures) == ("1", ())
        assert [(str(group.indexes), group.failed) for group in record.retries] == [("0", 0)]

    def test_tasks_that_never_started_do_not_fail_with_their_pack_unless_none_did(self) -> None:
        lost = end(0, FAILED, Budget.USER, succeeded=IndexSet.parse("0"), unstarted=IndexSet.parse("3-4"))
        record = count(lost, array=self.array, retry=RetryPolicy(limit=0))
        assert (str(record.failed), [str(group.indexes) for group in record.retries]) == ("1-2", ["0"])
        none = end(0, FAILED, Budget.USER, unstarted=IndexSet.parse("0-4"))
        assert str(count(none, array=self.array, retry=RetryPolicy(limit=0)).failed) == "0-4"

    def test_at_most_once_a_pack_that_never_starts_anything_is_not_tried_for_ever(self) -> None:
        none = end(0, FAILED, Budget.USER, unstarted=IndexSet.parse("0-4"))
        once = count(none, array=self.array, retry=RetryPolicy(limit=1), delivery=DeliveryMode.AT_MOST_ONCE)
        assert (str(once.failed), [str(group.indexes) for group in once.retries]) == ("", ["0"])
        twice = count(
            none, before=once, array=self.array, retry=RetryPolicy(limit=1), delivery=DeliveryMode.AT_MOST_ONCE
        )
        assert (str(twice.failed), twice.retries) == ("0-4", ())


def waiting(groups: int, *, alike: bool) -> ArrayRecord:
    """Build a record of tasks that wait for different times, with counts that are all equal or all different."""
    return ArrayRecord(
        retries=tuple(
            RetryGroup(indexes=IndexSet.of([n]), attempts=1 if alike else n + 1, failed=1, due=NOW + 1 + n / 100)
            for n in range(groups)
        )
    )


def test_d10_times_stay_what_they_are_where_no_groups_become_one() -> None:
    before = waiting(400, alike=False)
    record = count(end(500, SUCCEEDED), before=before, array=make_array(1000))
    assert {group.due for group in record.retries} == {group.due for group in before.retries}


def test_d10_a_task_that_waits_alone_keeps_its_time_where_others_are_brought_together() -> None:
    alone, alike = waiting(150, alike=False).retries, waiting(800, alike=True).retries[200:]
    record = count(end(900, SUCCEEDED), before=ArrayRecord(retries=(*alone, *alike)), array=make_array(1000))
    assert len(record.retries) <= 250
    due = {task: group.due or 0.0 for group in record.retries for task in group.indexes}
    assert [due[task] for task in range(1, 150)] == [group.due for group in alone[1:]]
    assert max(due[task] - (NOW + 1 + task / 100) for task in range(200, 800)) <= 2


def test_d10_two_tasks_do_not_wait_an_hour_so_that_a_large_record_has_one_group_fewer() -> None:
    soon = RetryGroup(indexes=IndexSet.parse("600"), attempts=1, failed=1, due=NOW + 1)
    late = RetryGroup(indexes=IndexSet.parse("601"), attempts=1, failed=1, due=NOW + 2000)
    before = ArrayRecord(retries=(*waiting(400, alike=False).retries[1:], soon, late))
    record = count(end(900, SUCCEEDED), before=before, array=make_array(1000))
    assert {group.due for group in record.retries} == {group.due for group in before.retries}


def test_d10_tasks_that_wait_together_wait_hardly_longer() -> None:
    before = waiting(800, alike=True)
    record = count(end(900, SUCCEEDED), before=before, array=make_array(1000))
    assert len(record.retries) <= 200
    due = {task: group.due or 0.0 for group in record.retries for task in group.indexes}
    delays = [due[n] - (NOW + 1 + n / 100) for n in range(800)]
    assert min(delays) >= 0
    assert max(delays) <= 2
