"""`podwright dlq` on a real API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.commands.conftest import Records, Shell
    from tests.cluster.jobs import Jobs


@pytest.fixture
def letters(jobs: Jobs, records: Records) -> Any:
    """Makes dead letters."""

    def make(name: str, redrives: int = 0, **spec: Any) -> None:
        jobs.submit(name, **spec)
        attempt = {
            "number": 3,
            "podName": "p",
            "node": "n-7",
            "outcome": "Failed",
            "exitCode": 3,
            "message": "out of ink",
        }
        records.write(
            name,
            "DeadLettered",
            reason="RetriesExhausted",
            attemptCount=4,
            attempts=[attempt],
            message="retry limit reached",
        )
        if redrives:
            jobs.annotate(name, {"podwright.dev/redrive-count": str(redrives)})

    return make


def names(podwright: Shell) -> list[str]:
    return sorted(line.rpartition("/")[2] for line in podwright.out("list", "-o", "name").split())


def test_list_and_show(podwright: Shell, letters: Any, jobs: Jobs) -> None:
    letters("dead", redrives=2)
    jobs.submit("alive")
    head, row = podwright.out("dlq", "list").splitlines()
    assert head.split() == ["NAME", "REASON", "ATTEMPTS", "REDRIVES", "FINISHED", "MESSAGE"]
    assert row.split()[:4] == ["dead", "RetriesExhausted", "4", "2"]
    shown = podwright.out("dlq", "show", "dead")
    for part in ("out of ink", "n-7", "busybox:1", "podwright dlq redrive dead"):
        assert part in shown
    assert "is not a dead letter" in podwright("dlq", "show", "alive").stderr
    assert len(json.loads(podwright.out("dlq", "list", "-o", "json"))["items"]) == 1


def test_redrive_replaces_the_dead_letter(podwright: Shell, letters: Any, api: Api, jobs: Jobs) -> None:
    letters("dead", idempotencyKey="k")
    uid = api.get("BatchJob", jobs.namespace, "dead").expect()["metadata"]["uid"]
    assert podwright.out("dlq", "redrive", "dead") == "batchjob.podwright.dev/dead-r1 created, in place of dead\n"
    assert names(podwright) == ["dead-r1"]
    copy = api.get("BatchJob", jobs.namespace, "dead-r1").expect()
    # The record tells of four attempts; nobody could account for a fifth.
    work = {"podwright.dev/work-of": uid, "podwright.dev/tokens-before": "5"}
    marks = {"podwright.dev/redrive-of": uid, "podwright.dev/copy-of": "dead", "podwright.dev/redrive-count": "1"}
    assert copy["metadata"]["annotations"] == {**marks, **work}
    assert copy["metadata"]["labels"].items() >= {"podwright.dev/redrive-of": uid, "podwright.dev/work-of": uid}.items()
    assert copy["spec"]["idempotencyKey"] == "k"
    assert "Redrive of:       dead\n" in podwright.out("get", "dead-r1")


def test_an_interrupted_redrive_is_completed_without_a_second_job(
    podwright: Shell, letters: Any, api: Api, jobs: Jobs
) -> None:
    letters("dead")
    dead = api.get("BatchJob", jobs.namespace, "dead").expect()
    # As after a crash between creation and deletion; under another name, as if that had been free first.
    marks = {"podwright.dev/redrive-of": dead["metadata"]["uid"]}
    api.create(
        {
            "apiVersion": dead["apiVersion"],
            "kind": "BatchJob",
            "metadata": {"name": "dead-r5", "namespace": jobs.namespace, "labels": marks, "annotations": marks},
            "spec": dead["spec"],
        }
    ).expect()
    podwright.out("dlq", "redrive", "dead")
    assert names(podwright) == ["dead-r5"]


def test_a_redrive_whose_job_has_gone_asks(podwright: Shell, letters: Any, jobs: Jobs) -> None:
    letters("dead")
    jobs.annotate("dead", {"podwright.dev/redriven-as": "dead-r1"})
    answer = podwright("dlq", "redrive", "dead")
    assert answer.returncode == 1
    assert "was to be run again as dead-r1, which is not there" in answer.stderr
    assert names(podwright) == ["dead"]
    podwright.out("dlq", "redrive", "dead", "--again")
    assert names(podwright) == ["dead-r1"]


def test_a_dead_letter_that_was_retried_is_not_redriven(podwright: Shell, letters: Any, records: Records) -> None:
    letters("dead")
    podwright.out("retry", "dead")
    for arguments in ((), ("--again",), ("--dry-run",)):
        answer = podwright("dlq", "redrive", "dead", *arguments)
        assert answer.returncode == 1
        assert "dead was already retried as dead-retry1, which has not finished" in answer.stderr
    records.write("dead-retry1", "Succeeded")
    assert "there is nothing left to do" in podwright("dlq", "redrive", "dead", "--again").stderr
    assert names(podwright) == ["dead", "dead-retry1"]


def test_a_patch_that_does_not_fit_stops_everything(podwright: Shell, letters: Any, api: Api, jobs: Jobs) -> None:
    letters("a")
    letters("b")
    answer = podwright("dlq", "redrive", "--all", "--patch", '{"retry": {"limit": 1000}}')
    assert answer.returncode == 1
    assert "Nothing was redriven" in answer.stderr
    assert "spec.retry.limit" in answer.stderr
    assert names(podwright) == ["a", "b"]
    podwright.out("dlq", "redrive", "--all", "--patch", '{"retry": {"limit": 7}}', "--rate", "100/s")
    assert names(podwright) == ["a-r1", "b-r1"]
    assert api.get("BatchJob", jobs.namespace, "a-r1").expect()["spec"]["retry"]["limit"] == 7


def test_the_loop_guard(podwright: Shell, letters: Any) -> None:
    letters("dead", redrives=5)
    letters("other", redrives=4)
    answer = podwright("dlq", "redrive", "--all")
    assert answer.returncode == 1
    assert "has been redriven 5 times" in answer.stderr
    assert names(podwright) == ["dead", "other-r5"]
    podwright.out("dlq", "redrive", "dead", "--force")
    assert names(podwright) == ["dead-r6", "other-r5"]


def test_an_array_is_redriven_without_what_succeeded(podwright: Shell, jobs: Jobs, records: Records, api: Api) -> None:
    for name in ("a", "b"):
        jobs.submit(name, array={"size": 4})
        records.write(
            name, "DeadLettered", array={"succeeded": 3, "failed": 1, "succeededIndexes": "0-2", "failedIndexes": "3"}
        )
    podwright.out("dlq", "redrive", "a")
    podwright.out("dlq", "redrive", "b", "--all-tasks")
    assert api.get("BatchJob", jobs.namespace, "a-r1").expect()["spec"]["array"]["indexes"] == "3"
    assert "indexes" not in api.get("BatchJob", jobs.namespace, "b-r1").expect()["spec"]["array"]


@pytest.mark.parametrize("mode", ["--dry-run", "--dry-run=server"])
def test_a_dry_run_changes_nothing(podwright: Shell, letters: Any, mode: str) -> None:
    letters("dead")
    assert "dry run" in podwright.out("dlq", "redrive", "dead", mode)
    assert "dry run" in podwright.out("dlq", "purge", "dead", mode)
    assert names(podwright) == ["dead"]


def test_purge_deletes_dead_letters_only(podwright: Shell, letters: Any, jobs: Jobs) -> None:
    letters("dead")
    jobs.submit("alive")
    refused = podwright("dlq", "purge", "--all")
    assert refused.returncode == 1
    assert "no terminal" in refused.stderr
    assert podwright.out("dlq", "purge", "--older-than", "9000d", "--yes") == ""
    podwright.out("dlq", "purge", "--all", "--yes")
    assert names(podwright) == ["alive"]
