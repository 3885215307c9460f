"""What the ended pod of a pack says about its tasks."""

import pytest

from podwright.core.job.array.ends import INCOMPLETE_REPORT, UnitEnd, unit_end
from podwright.core.spec import FailureAction, FailurePolicy, FailureRule
from podwright.core.values.index_set import IndexSet
from podwright.core.view import Budget, Outcome
from tests.support.builders import CREATED, finished
from tests.unit.core.job.array.builders import array_job, make_array, unit_pod

TASKS = IndexSet.parse("0-2")


def end(message: str, *, exit_code: int, rule: FailureRule | None = None) -> UnitEnd:
    policy = FailurePolicy(rules=() if rule is None else (rule,))
    job = array_job(make_array(3, pack=3), failure_policy=policy)
    pod = finished(unit_pod(job, 0), at=CREATED, exit_code=exit_code, message=message)
    return unit_end(job=job, pod=pod, tasks=TASKS, stop=None, now=CREATED)


@pytest.mark.parametrize("message", ["", "hello", "podwright pack: succeeded 0.", "podwright pack: succeeded 7."])
def test_a_good_end_without_the_word_of_all_tasks_is_a_failure(message: str) -> None:
    """Or the pack would be run again and again, at once and charged to nobody."""
    told = end(message, exit_code=0)
    attempt = told.verdict.attempt
    assert (attempt.outcome, attempt.reason, attempt.budget) == (Outcome.FAILED, INCOMPLETE_REPORT, Budget.USER)
    assert told.succeeded == (IndexSet.of([0]) if "succeeded 0" in message else IndexSet())
    assert not told.reported


def test_a_good_end_with_the_word_of_all_tasks_is_one() -> None:
    told = end("podwright pack: started 3; succeeded 0-2.", exit_code=0)
    assert (told.verdict.attempt.outcome, told.succeeded) == (Outcome.SUCCEEDED, TASKS)


def test_rules_may_name_such_an_end() -> None:
    rule = FailureRule(action=FailureAction.FAIL, reasons=frozenset({INCOMPLETE_REPORT}))
    assert end("", exit_code=0, rule=rule).fatal == (
        f"pack 0 failed ({INCOMPLETE_REPORT}), which spec.failurePolicy.rules[0] makes the end of the job"
    )


IGNORE_ERRORS = FailureRule(action=FailureAction.IGNORE, reasons=frozenset({"Error"}))


def test_what_befell_a_pack_is_ignored_for_the_tasks_that_it_befell() -> None:
    told = end("podwright pack: started 2; succeeded 0.", exit_code=137, rule=IGNORE_ERRORS)
    assert (told.succeeded, told.unstarted) == (IndexSet.of([0, 1]), IndexSet.of([2]))


def test_a_pack_that_told_nothing_is_not_called_done_by_a_rule() -> None:
    told = end("", exit_code=137, rule=IGNORE_ERRORS)
    assert told.succeeded == IndexSet()
    assert (told.verdict.attempt.budget, told.verdict.succeeded) == (Budget.USER, False)
