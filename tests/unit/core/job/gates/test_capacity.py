"""The capacity gate: whether a job may hold (more) capacity now."""

from typing import Any

import pytest

from podwright.core.attempt.refusal import ask_again_at
from podwright.core.job.gates.capacity import capacity, rests
from podwright.core.job.gates.result import Wait
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.phase import Phase
from podwright.core.spec import CancelMode
from tests.support.builders import CREATED, make_job, with_status

NOW = CREATED + 100
QUOTA = Refusal(
    attempt=0, kind=RefusalKind.RETRYABLE, reason="QuotaExceeded", message="exceeded quota", at=NOW, count=1
)
AGAIN = ask_again_at(refusal=QUOTA, job_uid="job-uid")


@pytest.mark.parametrize(
    ("spec", "phase", "asked", "want"),
    [
        pytest.param({}, Phase.PENDING, {}, 1, id="a single job"),
        pytest.param({}, Phase.RUNNING, {"free": 5, "room": 9}, 5, id="what its spec allows"),
        pytest.param({}, Phase.RUNNING, {"free": 5, "room": 3}, 3, id="what the operator takes"),
        pytest.param({}, Phase.RUNNING, {"free": -2, "room": 9}, 0, id="more pods than a smaller parallelism allows"),
        pytest.param({"suspend": True}, Phase.PENDING, {}, 0, id="to be suspended"),
        pytest.param({"cancel": CancelMode.GRACEFUL}, Phase.RUNNING, {}, 0, id="to be cancelled"),
        pytest.param({}, Phase.STOPPING, {}, 0, id="being stopped"),
        pytest.param({}, Phase.SUSPENDED, {}, 0, id="suspended on record"),
        pytest.param({"problem": "p"}, Phase.RUNNING, {}, 0, id="a spec that can't be carried out"),
        pytest.param({"start_at": NOW}, Phase.RETRYING, {}, 1, id="start time reached"),
        pytest.param({"start_at": NOW + 9}, Phase.RETRYING, {}, ("Delayed", NOW + 9), id="start time moved"),
        pytest.param({}, Phase.PENDING, {"refusal": QUOTA}, ("QuotaExceeded", AGAIN), id="refused"),
        pytest.param({}, Phase.RUNNING, {"refusal": QUOTA, "now": AGAIN, "free": 5, "room": 9}, 1, id="one probes"),
        pytest.param(
            {}, Phase.RUNNING, {"refusal": QUOTA, "now": AGAIN, "creating": True}, 0, id="a probe is under way"
        ),
        pytest.param(
            {},
            Phase.RUNNING,
            {"refusal": QUOTA, "now": AGAIN, "free": 5, "room": 9, "granted": 3, "creating": True},
            3,
            id="what the line for quota grants",
        ),
        pytest.param(
            {"start_at": NOW + 9}, Phase.PENDING, {"refusal": QUOTA}, ("Delayed", NOW + 9), id="delayed and refused"
        ),
        pytest.param({"suspend": True}, Phase.PENDING, {"refusal": QUOTA}, 0, id="suspended and refused"),
    ],
)
def test_how_many_pods_may_be_asked_for(
    spec: dict[str, Any], phase: Phase, asked: dict[str, Any], want: int | tuple[str, float]
) -> None:
    found = capacity(job=with_status(make_job(**spec), phase=phase), **{"now": NOW, **asked})
    got = (found.reason, found.requeue_at) if isinstance(found, Wait) else found
    assert got == want


@pytest.mark.parametrize("kind", [RefusalKind.PERMANENT, RefusalKind.COLLISION])
def test_a_refusal_that_ends_something_is_nothing_to_wait_for(kind: RefusalKind) -> None:
    lasting = Refusal(attempt=0, kind=kind, reason="PodRejected", message="m", at=NOW, count=1)
    assert capacity(job=make_job(), now=NOW, refusal=lasting) == 1


@pytest.mark.parametrize(
    ("suspend", "generation", "phase", "want"),
    [
        pytest.param(True, 1, None, True, id="S4 suspended from the beginning"),
        pytest.param(True, 1, Phase.PENDING, True, id="S4 reported as waiting"),
        pytest.param(True, 7, Phase.SUSPENDED, True, id="S4 its pods have ended"),
        pytest.param(True, 2, None, False, id="a pod may have been created before it was suspended"),
        pytest.param(True, 2, Phase.RUNNING, False, id="its pods run"),
        pytest.param(True, 2, Phase.STOPPING, False, id="its pods are being stopped"),
        pytest.param(False, 3, Phase.SUSPENDED, False, id="resumed, not on record yet"),
        pytest.param(False, 1, None, False, id="not suspended"),
    ],
)
def test_a_job_rests_if_nothing_of_it_can_run_before_an_edit(
    suspend: bool, generation: int, phase: Phase | None, want: bool
) -> None:
    assert rests(suspend=suspend, generation=generation, phase=phase) is want
