"""What a new leader makes of the refusal that an array's status tells of."""

import pytest

from podwright.core.attempt.refusal import refused
from podwright.core.job.array.refusals import recalled
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase

_QUOTA = "exceeded quota: few, requested: pods=1, used: pods=9, limited: pods=9"
_ACCOUNT = 'error looking up service account default/x: serviceaccount "x" not found'
_COUNTS = "0 tasks succeeded, 0 failed, 0 in pods, 5 waiting"
_COUNTS_AND_SKIPPED = "1 tasks succeeded, 2 failed, 7 skipped, 0 in pods, 5 waiting"


@pytest.mark.parametrize(
    ("words", "counts", "phase", "has_pods"),
    [
        pytest.param(_QUOTA, _COUNTS, Phase.PENDING, False, id="S10 quota"),
        pytest.param(_QUOTA, _COUNTS_AND_SKIPPED, Phase.RUNNING, True, id="S10 quota, and some run"),
        pytest.param(_ACCOUNT, _COUNTS, Phase.PENDING, False, id="S10 service account"),
        pytest.param(_ACCOUNT, _COUNTS_AND_SKIPPED, Phase.RETRYING, False, id="S10 service account, of a retry"),
        pytest.param(_ACCOUNT, _COUNTS, Phase.RUNNING, False, id="S10 service account, of the last tasks"),
    ],
)
def test_a_new_leader_finds_the_cause_in_the_status(words: str, counts: str, phase: Phase, has_pods: bool) -> None:
    first = refused(before=None, task_index=3, attempt=0, job_uid="u", code=403, message=words, now=0.0)
    status = JobStatus(phase=phase, reason=first.reason, message=f"{first.message}; {counts}")
    again = recalled(status, has_pods=has_pods, now=9.0)
    assert again is not None
    assert (again.cause, again.reason, again.message) == (first.cause, first.reason, first.message)
    assert again.cause


@pytest.mark.parametrize(
    ("phase", "reason", "has_pods"),
    [
        pytest.param(Phase.PENDING, "TasksPending", False, id="waits for nothing"),
        pytest.param(Phase.PENDING, "PodRejected", False, id="was denied, which is not waited out in a line"),
        pytest.param(Phase.RUNNING, "ServiceAccountMissing", True, id="has pods, perhaps all that it wants"),
        pytest.param(Phase.SUSPENDED, "QuotaExceeded", False, id="is suspended"),
        pytest.param(None, "", False, id="is new"),
    ],
)
def test_nothing_is_recalled_of_an_array_that(phase: Phase | None, reason: str, has_pods: bool) -> None:
    assert recalled(JobStatus(phase=phase, reason=reason), has_pods=has_pods, now=0.0) is None
