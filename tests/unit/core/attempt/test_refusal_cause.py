"""Which refusals have the same cause, so that one request can find out for all whether it has passed."""

import pytest

from podwright.core.attempt.refusal import recalled, refused
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase

_ACCOUNT = 'pods "{}" is forbidden: error looking up service account ns/{}: serviceaccount "{}" not found'
_CLASS = 'pods "{}" is forbidden: no PriorityClass with name {} was found'
_WEBHOOK = 'failed calling webhook "{}": failed to call webhook: Post "https://10.0.0.{}/": context deadline exceeded'
_QUOTA = 'pods "{}" is forbidden: exceeded quota: {}, requested: pods=1, used: pods={}, limited: pods=9'
_ABOVE = (
    'pods "{}" is forbidden: exceeded quota: q, requested: limits.cpu=2, used: limits.cpu={}, limited: limits.cpu=1'
)


def cause(message: str, *, code: int = 403, genuine: bool = True) -> str:
    found = refused(
        before=None, task_index=0, attempt=0, job_uid="u", code=code, message=message, now=0.0, genuine=genuine
    )
    return found.cause


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        pytest.param(_ACCOUNT.format("a", "x", "x"), _ACCOUNT.format("b", "x", "x"), 403, id="S10 service account"),
        pytest.param(_CLASS.format("a", "x"), _CLASS.format("b", "x"), 403, id="S10 priority class"),
        pytest.param(_WEBHOOK.format("w", 1), _WEBHOOK.format("w", 2), 500, id="S10 webhook of two addresses"),
        pytest.param(_QUOTA.format("a", "q", 9), _QUOTA.format("b", "other", 8), 403, id="S10 any quota"),
        pytest.param(_ABOVE.format("a", 0), _ABOVE.format("b", 1), 403, id="S10 more than a quota has"),
        pytest.param("attempt 17 failed on 10.0.0.1:81", "attempt 3 failed on 10.0.0.9:80", 404, id="S10 numbers"),
    ],
)
def test_pods_that_wait_for_the_same_have_one_cause(first: str, second: str, code: int) -> None:
    assert cause(first, code=code) == cause(second, code=code) != ""


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        pytest.param(_ACCOUNT.format("a", "x-1", "x-1"), _ACCOUNT.format("a", "x-2", "x-2"), 403, id="accounts"),
        pytest.param(_ACCOUNT.format("a", "x", "x"), _CLASS.format("a", "x"), 403, id="account and class"),
        pytest.param(_WEBHOOK.format("w", 1), _WEBHOOK.format("v", 1), 500, id="webhooks"),
        pytest.param(_ABOVE.format("a", 0), _QUOTA.format("a", "q", 9), 403, id="quotas with room for it or none"),
    ],
)
def test_pods_that_wait_for_different_things_have_different_causes(first: str, second: str, code: int) -> None:
    assert cause(first, code=code) != cause(second, code=code)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        pytest.param('strict decoding error: unknown field "spec.x"', 400, id="lasts"),
        pytest.param('admission webhook "w" denied the request: no', 403, id="has a minute of its own"),
    ],
)
def test_what_is_not_waited_out_has_no_cause(message: str, code: int) -> None:
    assert cause(message, code=code) == ""


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(_ACCOUNT.format("a", "x", "x"), id="service account"),
        pytest.param(_CLASS.format("a", "x"), id="priority class"),
        pytest.param(_QUOTA.format("a", "q", 9), id="quota"),
    ],
)
def test_s10_a_new_leader_finds_the_cause_in_the_status(message: str) -> None:
    first = refused(before=None, task_index=0, attempt=0, job_uid="u", code=403, message=message, now=0.0)
    status = JobStatus(phase=Phase.PENDING, reason=first.reason, message=first.message)
    again = recalled(status, now=9.0)
    assert again is not None
    assert (again.cause, again.reason, again.at) == (first.cause, first.reason, 9.0)


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        pytest.param(Phase.PENDING, "Delayed", id="waits for its time"),
        pytest.param(Phase.RUNNING, "ServiceAccountMissing", id="runs"),
        pytest.param(None, "", id="is new"),
    ],
)
def test_nothing_is_recalled_of_a_job_that(phase: Phase | None, reason: str) -> None:
    assert recalled(JobStatus(phase=phase, reason=reason), now=0.0) is None
