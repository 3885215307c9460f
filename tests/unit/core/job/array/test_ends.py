"""What the ended pod of a pack says about its tasks."""

from typing import Any

import msgspec
import pytest

from podwright.core.constants.reasons import Reason
from podwright.core.job.array.ends import UnitEnd, unit_end
from podwright.core.model.attempt import Budget, Outcome
from podwright.core.model.pod import FailedContainer
from podwright.core.spec import FailureAction, FailurePolicy, FailureRule
from podwright.core.values.index_set import IndexSet
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
    assert (attempt.outcome, attempt.reason, attempt.budget) == (Outcome.FAILED, Reason.INCOMPLETE_REPORT, Budget.USER)
    assert told.succeeded == (IndexSet.of([0]) if "succeeded 0" in message else IndexSet())
    assert not told.reported


def test_a_good_end_with_the_word_of_all_tasks_is_one() -> None:
    told = end("podwright pack: started 3; succeeded 0-2.", exit_code=0)
    assert (told.verdict.attempt.outcome, told.succeeded) == (Outcome.SUCCEEDED, TASKS)


def test_rules_may_name_such_an_end() -> None:
    rule = FailureRule(action=FailureAction.FAIL, reasons=frozenset({Reason.INCOMPLETE_REPORT}))
    assert end("", exit_code=0, rule=rule).fatal == (
        f"pack 0 failed ({Reason.INCOMPLETE_REPORT}), which spec.failurePolicy.rules[0] makes the end of the job"
    )


def test_to_ignore_such_an_end_makes_no_success_and_no_free_retry() -> None:
    rule = FailureRule(action=FailureAction.IGNORE, reasons=frozenset({Reason.INCOMPLETE_REPORT}))
    told = end("", exit_code=0, rule=rule)
    assert (told.verdict.action, told.verdict.attempt.budget) == (FailureAction.RETRY, Budget.USER)
    assert not told.succeeded


# Evicted while the second of three tasks ran: the runner ends with 1, as whenever a task did not succeed.
EVICTED = "podwright pack: started 2; succeeded 0."
ON_CODE = {"exit_codes": frozenset({1})}
ON_EVICTION = {"reasons": frozenset({"EvictionByEvictionAPI"})}


def evicted(**rule: Any) -> UnitEnd:
    policy = FailurePolicy(rules=(FailureRule(**rule),))
    job = array_job(make_array(3, pack=3), failure_policy=policy)
    failed = (FailedContainer("main", 1, "", "Error"),)
    pod = finished(unit_pod(job, 0), at=CREATED, exit_code=1, message=EVICTED, failed=failed)
    pod = msgspec.structs.replace(pod, disruption="EvictionByEvictionAPI", deletion_requested=CREATED)
    return unit_end(job=job, pod=pod, tasks=TASKS, stop=None, now=CREATED)


@pytest.mark.parametrize("action", list(FailureAction))
@pytest.mark.parametrize("matcher", [ON_CODE, ON_EVICTION], ids=["D2 code of the runner", "D2 eviction"])
def test_d2_a_task_whose_end_nobody_saw_has_not_succeeded(action: FailureAction, matcher: dict[str, Any]) -> None:
    told = evicted(action=action, **matcher)
    assert (told.succeeded, told.unstarted) == (IndexSet.of([0]), IndexSet.of([2]))
    assert not told.verdict.succeeded


@pytest.mark.parametrize("action", list(FailureAction))
def test_d2_the_code_of_the_runner_is_no_evidence(action: FailureAction) -> None:
    told = evicted(action=action, **ON_CODE)
    assert (told.given_up, told.fatal, told.verdict.final) == (IndexSet(), "", False)
    assert told.verdict.attempt.budget is Budget.PLATFORM


def test_d2_a_rule_may_still_name_what_befell_the_pod() -> None:
    assert evicted(action=FailureAction.FAIL, **ON_EVICTION).fatal
    assert evicted(action=FailureAction.RETRY_FREE, **ON_EVICTION).verdict.attempt.budget is None


@pytest.mark.parametrize(("name", "fits"), [("main", True), ("proxy", False)], ids=["D17 runner", "D17 sidecar"])
def test_d17_codes_of_tasks_are_those_of_the_container_that_runs_them(name: str, fits: bool) -> None:
    """A sidecar that failed first, by name or by time, has nothing to do with how a task ended."""
    rule = FailureRule(action=FailureAction.FAIL_TASK, exit_codes=frozenset({7}), container=name)
    job = array_job(make_array(3, pack=3), failure_policy=FailurePolicy(rules=(rule,)))
    failed = (FailedContainer("proxy", 3, "", "Error"), FailedContainer("main", 1, "", "Error"))
    message = "podwright pack: started 3; succeeded 0-1; exit 7: 2."
    pod = finished(unit_pod(job, 0), at=CREATED, exit_code=3, message=message, failed=failed)
    told = unit_end(job=job, pod=pod, tasks=TASKS, stop=None, now=CREATED)
    assert told.given_up == (IndexSet.of([2]) if fits else IndexSet())


IGNORE_ERRORS = FailureRule(action=FailureAction.IGNORE, reasons=frozenset({"Error"}))


def test_a_pack_that_told_nothing_is_not_called_done_by_a_rule() -> None:
    told = end("", exit_code=137, rule=IGNORE_ERRORS)
    assert told.succeeded == IndexSet()
    assert (told.verdict.attempt.budget, told.verdict.succeeded) == (Budget.USER, False)
