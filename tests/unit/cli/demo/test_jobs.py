from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwright.cli.demo.install import manifests_directory
from podwright.cli.demo.jobs import PROMISES, Job
from podwright.core.model.phase import Phase

BATCH_JOB: dict[str, Any] = {
    "metadata": {"name": "retried", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "status": {
        "phase": "Succeeded",
        "progress": "1/1",
        "reason": "Completed",
        "message": "attempt 2 succeeded",
        "finishTime": "2026-01-01T00:00:12.500Z",
        "attempts": [
            {"number": 0, "outcome": "Failed", "exitCode": 1},
            {"number": 1, "outcome": "Failed"},
            {"number": 2, "outcome": "Succeeded", "exitCode": 0},
        ],
    },
}


def test_a_finished_job() -> None:
    job = Job.from_object(BATCH_JOB)
    assert job == Job(
        name="retried",
        created=1767225600.0,
        phase="Succeeded",
        progress="1/1",
        reason="Completed",
        message="attempt 2 succeeded",
        finished=1767225612.5,
        outcomes=("Failed", "Failed", "Succeeded"),
        exit_codes=(1, None, 0),
    )
    assert job.over
    assert job.seconds(now=1767230000.0) == 12.5


def test_a_job_that_nobody_has_looked_at_yet() -> None:
    job = Job.from_object({"metadata": BATCH_JOB["metadata"]})
    assert not job.over
    assert (job.phase, job.outcomes) == ("", ())
    assert job.seconds(now=job.created + 3) == 3
    assert job.seconds(now=job.created - 1) == 0, "the clocks of client and server may differ"


def test_every_example_has_a_promise_under_its_name() -> None:
    paths = sorted((manifests_directory() / "examples").glob("*.yaml"))
    assert {path.stem for path in paths} == PROMISES.keys()
    for path in paths:
        assert yaml.safe_load(path.read_text())["metadata"]["name"] == path.stem


def test_every_promise_is_of_a_terminal_phase() -> None:
    assert all(promise.phase.terminal for promise in PROMISES.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"phase": Phase.FAILED}, "but is Failed after attempts Failed, Failed, Succeeded (Completed: attempt 2 succeeded)."),
        ({"outcomes": ("Succeeded",)}, "but is Succeeded after attempts Succeeded (Completed: attempt 2 succeeded)."),
        ({"outcomes": ("Failed", "")}, "but is Succeeded after attempts Failed,  (Completed: attempt 2 succeeded)."),
        ({"phase": "", "outcomes": (), "reason": ""}, "but is Pending after attempts none."),
    ],
)  # fmt: skip
def test_a_broken_promise_says_what_is_different(changes: dict[str, Any], words: str) -> None:
    said = PROMISES["retried"].broken_by(replace(Job.from_object(BATCH_JOB), **changes))
    assert said.endswith(words)
    assert said.startswith("should be Succeeded after attempts Failed, Failed, Succeeded, ") is bool(words)


def test_a_job_that_is_missing_breaks_its_promise() -> None:
    assert "there is no such job" in PROMISES["success"].broken_by(None)


def test_the_manifests_of_the_checkout_are_found() -> None:
    assert manifests_directory() == Path(__file__).parents[4] / "manifests"
