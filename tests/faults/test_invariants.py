"""The judge is judged: a sound story passes every check, and each way to break an invariant is told by its number."""

from collections.abc import Callable
from typing import Any

import pytest

from podwright.core.constants import names
from tests.faults.history import Exchange, Version
from tests.faults.invariants import Evidence, few_writes, quiet_at_the_end, violations

Document = dict[str, Any]


class Story:
    """Versions of one job and its pods, told one after the other."""

    def __init__(self) -> None:
        self.jobs: list[Version] = []
        self.pods: list[Version] = []
        self._revision = 0

    def job(self, status: Document, *, deleted: bool = False, spec: Document | None = None, **metadata: Any) -> None:
        """Record the next version of the job."""
        given = {"name": "job", "namespace": "default", "uid": "job-uid", "generation": 1, **metadata}
        self.jobs.append(self._version({"spec": spec or {}, "status": status}, given, deleted=deleted))

    def pod(
        self, attempt: int, phase: str, *, uid: str = "", deleted: bool = False, held: bool = True, **more: Any
    ) -> None:
        """Record the next version of the pod of an attempt."""
        labels = {names.LABEL_JOB_UID: "job-uid", names.LABEL_ATTEMPT: str(attempt), names.LABEL_JOB: "job"}
        metadata = {
            "name": f"pod-{attempt}",
            "namespace": "default",
            "uid": uid or f"pod-{attempt}-uid",
            "labels": labels,
        }
        if held:
            metadata["finalizers"] = [names.FINALIZER]
        metadata |= more
        started = {} if phase == "Pending" else {"startTime": "2026-01-01T00:00:00Z"}
        spec = {"containers": [{"name": "main"}], "nodeName": "" if phase == "Pending" else "node"}
        body = {"spec": spec, "status": {"phase": phase, **started}}
        self.pods.append(self._version(body, metadata, deleted=deleted))

    def _version(self, body: Document, metadata: Document, *, deleted: bool) -> Version:
        self._revision += 1
        metadata = {**metadata, "resourceVersion": str(self._revision)}
        return Version(deleted=deleted, document={**body, "metadata": metadata}, at=float(self._revision))

    def found(self, **facts: Any) -> list[str]:
        """Return the numbers of the invariants that are broken."""
        evidence = Evidence(jobs=self.jobs, pods=self.pods, **facts)
        return sorted({told.partition(":")[0] for told in violations(evidence)})


def over(*outcomes: str, phase: str = "Succeeded", **more: Any) -> Document:
    """Return the status of a finished job with one attempt for each outcome."""
    attempts = [
        {"number": n, "podUID": f"pod-{n}-uid", "outcome": outcome}
        | ({"budget": "User"} if outcome in ("Failed", "Lost") else {})
        for n, outcome in enumerate(outcomes)
    ]
    conditions = [{"type": "Complete" if phase == "Succeeded" else "Failed", "status": "True"}]
    status = {
        "phase": phase,
        "observedGeneration": 1,
        "startTime": "2026-01-01T00:00:00Z",
        "finishTime": "2026-01-01T00:01:00Z",
        "attempts": attempts,
        "attemptCount": len(outcomes),
        "failedCount": sum(outcome in ("Failed", "Lost") for outcome in outcomes),
        "conditions": conditions,
    }
    return {**status, **more}


def sound() -> Story:
    """Return the history of a job that fails once and then succeeds, as it should be."""
    story = Story()
    story.job({"observedGeneration": -1})
    for phase in ("Pending", "Running", "Failed"):
        story.pod(0, phase)
    retrying = {**over("Failed", phase="Retrying"), "conditions": []}
    del retrying["finishTime"]
    story.job(retrying)
    story.pod(0, "Failed", held=False)
    for phase in ("Pending", "Running", "Succeeded"):
        story.pod(1, phase)
    story.job(over("Failed", "Succeeded"))
    story.pod(1, "Succeeded", held=False)
    return story


def test_sound_story_breaks_nothing() -> None:
    assert sound().found() == []


def second_pod_of_an_attempt(story: Story) -> None:
    story.pod(1, "Running", uid="another", held=False)
    story.pod(1, "Succeeded", uid="another", held=False)


def next_attempt_while_the_former_runs(story: Story) -> None:
    story.pods.clear()
    story.pod(0, "Running")
    story.pod(1, "Pending")
    story.pod(0, "Failed", held=False)
    story.pod(1, "Succeeded", held=False)


def never_over(story: Story) -> None:
    story.jobs[-1:] = []
    story.pod(1, "Succeeded")


def vanished(story: Story) -> None:
    story.job(over("Failed", "Succeeded"), deleted=True)
    story.pod(0, "Failed", deleted=True)
    story.pod(1, "Succeeded", deleted=True)


def verdict_changed(story: Story) -> None:
    story.job(over("Failed", "Succeeded", finishTime="2027-01-01T00:00:00Z"))


def complete_and_failed(story: Story) -> None:
    both = [{"type": kind, "status": "True"} for kind in ("Complete", "Failed")]
    story.jobs[-1:] = []
    story.job(over("Failed", "Succeeded", conditions=both))


def unrecorded_pod(story: Story) -> None:
    story.jobs[-1:] = []
    status = over("Failed", "Succeeded")
    status["attempts"][1]["podUID"] = ""
    story.job(status)


def invented_pod(story: Story) -> None:
    story.jobs[-1:] = []
    status = over("Failed", "Succeeded")
    status["attempts"][1]["podUID"] = "invented"
    story.job(status)


def too_many_failures(story: Story) -> None:
    story.jobs[-1:] = []
    story.job(over("Failed", "Succeeded", failedCount=7))


def still_held(story: Story) -> None:
    story.pod(1, "Succeeded", held=True)


def pod_without_its_job(story: Story) -> None:
    story.job(over("Failed", "Succeeded"), deleted=True, spec={"ttlSecondsAfterFinished": 0})


def deletion_hangs(story: Story) -> None:
    story.job(over("Failed", "Succeeded"), deletionTimestamp="2026-01-01T00:00:00Z")


def illegal_step(story: Story) -> None:
    story.jobs[1:2] = []
    story.jobs.insert(1, story._version({"spec": {}, "status": {"phase": "Suspended"}}, _JOB, deleted=False))
    story.jobs.insert(2, story._version({"spec": {}, "status": {"phase": "Running"}}, _JOB, deleted=False))


def attempts_taken_back(story: Story) -> None:
    story.jobs.insert(1, story._version({"spec": {}, "status": {"attemptCount": 3}}, _JOB, deleted=False))


def seen_from_the_future(story: Story) -> None:
    story.jobs[-1:] = []
    story.job(over("Failed", "Succeeded", observedGeneration=9))


_JOB = {"name": "job", "namespace": "default", "uid": "job-uid", "generation": 1}


@pytest.mark.parametrize(
    ("broken", "want"),
    [
        # A second pod of an attempt is also one that the record does not know.
        (second_pod_of_an_attempt, ["I1", "I5"]),
        (next_attempt_while_the_former_runs, ["I2"]),
        (never_over, ["I3"]),
        (vanished, ["I3"]),
        (verdict_changed, ["I4"]),
        (complete_and_failed, ["I4"]),
        (unrecorded_pod, ["I5"]),
        (invented_pod, ["I5"]),
        (too_many_failures, ["I5"]),
        (still_held, ["I7"]),
        (pod_without_its_job, ["I7"]),
        (deletion_hangs, ["I7"]),
        (illegal_step, ["I13"]),
        (attempts_taken_back, ["I13"]),
        (seen_from_the_future, ["I13"]),
    ],
)
def test_broken_story_is_told_by_the_number_of_its_invariant(broken: Callable[[Story], None], want: list[str]) -> None:
    story = sound()
    broken(story)
    assert story.found() == want


def test_waiting_and_deleted_jobs_are_fine_when_they_are_meant_to_be() -> None:
    story = Story()
    story.job({"phase": "Suspended", "reason": "Suspended", "observedGeneration": 1})
    assert story.found() == ["I3"]
    assert story.found(waiting={"job"}) == []
    story.job({"phase": "Suspended", "reason": "Suspended", "observedGeneration": 1}, deleted=True)
    assert story.found(waiting={"job"}) == ["I3"]
    assert story.found(deleted_by_user={"job"}) == []


def exchange(number: int, *, verb: str = "patch", resource: str = "pods", dry_run: bool = False) -> Exchange:
    return Exchange(
        number=number,
        at=float(number),
        verb=verb,
        resource=resource,
        namespace="default",
        name="x",
        query="",
        dry_run=dry_run,
    )


def test_writes_at_rest_and_too_many_of_them_are_told() -> None:
    asked = [
        exchange(1, verb="create"),
        exchange(2, verb="list"),
        exchange(3, resource="leases"),
        exchange(4, verb="create", dry_run=True),
        exchange(5, resource="batchjobs/status"),
    ]
    assert not list(quiet_at_the_end(asked, since=5.0))
    assert list(quiet_at_the_end(asked, since=1.0))
    assert not list(few_writes(asked, most=2))
    assert list(few_writes(asked, most=1))
