"""The API server holds the status to the state machine, whoever writes it: every pair of phases is tried."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from podwright.core.model.phase import TERMINAL, TRANSITIONS, Phase
from tests.cluster.api import OPERATOR, Answer, Api
from tests.cluster.manifests import make_job

T1, T2 = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02.500Z"
ATTEMPT = {"number": 0, "podName": "job-x-0", "podUID": "u", "node": "n", "outcome": "Failed", "exitCode": 1}
FIXED = "status: Invalid value: startTime, finishTime, attempts can't change any more: the job is finished"
MISFIT = (
    "status.conditions: Invalid value: condition Finished must be True exactly when phase is one of Cancelled,"
    " DeadLettered, Failed, Skipped, Succeeded; Complete when it is Succeeded; Failed when it is Cancelled or"
    " DeadLettered or Failed"
)


def condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": "Test", "message": "", "lastTransitionTime": T1}


def status_of(phase: Phase | None, **changes: Any) -> dict[str, Any]:
    """A status that is right for the phase."""
    if phase is None:
        return {"observedGeneration": -1}
    kinds: tuple[str, ...] = ("Reconciling",)
    if phase in TERMINAL:
        kinds = ("Finished", {Phase.SUCCEEDED: "Complete", Phase.SKIPPED: "Skipped"}.get(phase, "Failed"))
    status = {
        "observedGeneration": 1,
        "phase": str(phase),
        "reason": "Test",
        "startTime": T1,
        "finishTime": T2 if phase in TERMINAL else None,
        "attemptCount": 1,
        "attempts": [ATTEMPT],
        "progress": "0/1",
        "conditions": [condition(kind) for kind in kinds],
    }
    return {**status, **changes}


class Job:
    """A job in the cluster whose status is written as the operator does."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        api.create(make_job(namespace=namespace, name=name)).expect()

    def write(self, status: dict[str, Any], *, dry_run: bool = False) -> Answer:
        return self.change({"status": status}, dry_run=dry_run)

    def change(self, change: dict[str, Any], *, dry_run: bool = False) -> Answer:
        operator = self._api.acting_as(OPERATOR)
        return operator.patch("BatchJob", self._namespace, self._name, change, subresource="status", dry_run=dry_run)

    def spec(self, changes: dict[str, Any]) -> Answer:
        return self._api.patch("BatchJob", self._namespace, self._name, {"spec": changes})


_numbers = itertools.count()


@pytest.fixture
def job(api: Api, shared_namespace: str) -> Job:
    return Job(api, shared_namespace, f"job-{next(_numbers)}")


@pytest.mark.parametrize("current", [None, *Phase])
def test_every_pair_of_phases(job: Job, current: Phase | None) -> None:
    if current is not None:
        job.write(status_of(current)).expect()
    for target in Phase:
        answer = job.write(status_of(target), dry_run=True)
        if target is current or target in TRANSITIONS[current]:
            assert answer.expect()["status"]["phase"] == target, (current, target)
        else:
            allowed = [phase for phase in Phase if phase in TRANSITIONS[current]]
            words = ", ".join(allowed) or "none, since the phase is terminal"
            assert answer.status == 422, (current, target)
            assert (
                f"status.phase: Invalid value: phase {current} cannot become {target}; allowed: {words}"
                in answer.message
            )


@pytest.mark.parametrize("current", list(Phase))
def test_a_phase_cannot_be_removed(job: Job, current: Phase) -> None:
    job.write(status_of(current)).expect()
    gone = status_of(None) | {"phase": None, "finishTime": None, "conditions": None}
    assert f"status.phase: Invalid value: phase {current} cannot be removed; allowed: " in job.write(gone).message


@pytest.mark.parametrize("current", sorted(TERMINAL))
class TestTerminal:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("startTime", T2),
            ("startTime", None),
            ("finishTime", T1),
            ("attempts", []),
            ("attempts", None),
            ("attempts", [ATTEMPT, {**ATTEMPT, "number": 1}]),
            ("attempts", [{**ATTEMPT, "exitCode": 0}]),
            ("attempts", [{**ATTEMPT, "node": None}]),
        ],
    )
    def test_what_happened_cannot_change(self, job: Job, current: Phase, field: str, value: Any) -> None:
        job.write(status_of(current)).expect()
        message = job.write({field: value}).message
        assert FIXED in message

    @pytest.mark.parametrize("field", ["startTime", "attempts"])
    def test_what_did_not_happen_cannot_be_added(self, job: Job, current: Phase, field: str) -> None:
        job.write(status_of(current, **{field: None})).expect()
        message = job.write({field: status_of(current)[field]}).message
        assert FIXED in message

    def test_it_needs_a_finish_time(self, job: Job, current: Phase) -> None:
        message = job.write(status_of(current, finishTime=None)).message
        assert (
            "status.finishTime: Invalid value: finishTime must be set exactly when phase is one of Cancelled" in message
        )

    @pytest.mark.parametrize("kinds", [(), ("Finished",), ("Finished", "Complete", "Failed"), ("Complete",)])
    def test_its_conditions_must_fit(self, job: Job, current: Phase, kinds: tuple[str, ...]) -> None:
        answer = job.write(status_of(current, conditions=[condition(kind) for kind in kinds]))
        if current is Phase.SKIPPED and kinds == ("Finished",):
            answer.expect()
        else:
            assert MISFIT in answer.message

    def test_the_rest_may_change(self, job: Job, current: Phase) -> None:
        job.write(status_of(current)).expect()
        changed = job.write({"observedGeneration": 2, "reason": "Other", "message": "more"}).expect()["status"]
        assert (changed["observedGeneration"], changed["reason"], changed["phase"]) == (2, "Other", current)
        job.spec({"suspend": True, "priority": 3}).expect()


def test_an_unfinished_job_has_no_finish_time(job: Job) -> None:
    message = job.write(status_of(Phase.RUNNING, finishTime=T2)).message
    assert "status.finishTime: Invalid value: finishTime must be set exactly when phase is one of Cancelled" in message


@pytest.mark.parametrize("kind", ["Finished", "Complete", "Failed"])
def test_an_unfinished_job_has_no_final_condition(job: Job, kind: str) -> None:
    message = job.write(status_of(Phase.RUNNING, conditions=[condition(kind)])).message
    assert MISFIT in message
    job.write(status_of(Phase.RUNNING, conditions=[condition(kind, "False")])).expect()


def test_attempts_are_never_taken_back(job: Job) -> None:
    job.write(status_of(Phase.RUNNING, attemptCount=2)).expect()
    for count in (1, None):
        message = job.write({"attemptCount": count}).message
        assert "status.attemptCount: Invalid value: attemptCount can't become less" in message
    job.write({"attemptCount": 3}).expect()


def test_a_job_can_be_found_by_phase(api: Api, namespace: str) -> None:
    for name, phase in (("one", Phase.RUNNING), ("two", Phase.SUCCEEDED), ("three", None)):
        job = Job(api, namespace, name)
        if phase is not None:
            job.write(status_of(phase)).expect()
    found = api.list("BatchJob", namespace, fieldSelector="status.phase=Running").expect()["items"]
    assert [item["metadata"]["name"] for item in found] == ["one"]
    refused = api.list("BatchJob", namespace, fieldSelector="status.reason=Test")
    assert "field label not supported: status.reason" in refused.message


def test_status_is_replaced_only_at_the_version_that_was_seen(job: Job) -> None:
    seen = job.write(status_of(Phase.PENDING)).expect()["metadata"]
    job.spec({"priority": 1}).expect()
    late = {"metadata": {"uid": seen["uid"], "resourceVersion": seen["resourceVersion"]}, "status": {"reason": "Late"}}
    assert job.change(late).status == 409
