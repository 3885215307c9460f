from __future__ import annotations

from datetime import datetime

import pytest

from podwright.cli.jobs.description import describe
from tests.unit.cli.jobs.objects import make_job

NOW = datetime.fromisoformat("2026-11-21T10:05:00Z").timestamp()


def test_a_new_job_has_a_short_description() -> None:
    lines = describe(make_job(), now=NOW)
    assert lines[:3] == ["Name:       report", "Namespace:  n", "Phase:      Pending"]
    assert lines[3].startswith("Created:    ")
    assert len(lines) == 4


def test_that_a_job_was_cancelled_is_said_once() -> None:
    lines = describe(make_job(phase="Cancelled", cancel="Immediate", status={"reason": "Cancelled"}), now=NOW)
    assert lines[2:4] == ["Phase:      Cancelled", "Cancel:     Immediate"]


@pytest.mark.parametrize(
    ("marks", "shown"),
    [
        pytest.param({"copy-of": "first"}, "Retry of:   first", id="by name"),
        pytest.param({}, "Retry of:   u-0", id="made before names were recorded"),
    ],
)
def test_a_copy_names_its_original(marks: dict[str, str], shown: str) -> None:
    annotations = {f"podwright.dev/{key}": value for key, value in {"retry-of": "u-0", **marks}.items()}
    assert shown in describe(make_job(meta={"annotations": annotations}), now=NOW)


def test_all_parts_of_a_status_are_shown() -> None:
    job = make_job(
        phase="Failed",
        array={"size": 1000, "pack": 10},
        retry={"limit": 3},
        dependsOn=[{"name": "load", "condition": "Finished"}],
        status={
            "reason": "TasksFailed",
            "message": "one \x1b[1mfailed",
            "array": {"succeededIndexes": "0-997", "failedIndexes": "999"},
            "outputs": {"rows": 42},
            "artifacts": [{"name": "table", "url": "s3://b/t"}],
            "attempts": [
                {
                    "index": 99,
                    "number": 0,
                    "podName": "p",
                    "outcome": "Failed",
                    "exitCode": 0,
                    "message": "first\nsecond",
                }
            ],
        },
    )
    text = "\n".join(describe(job, now=NOW))
    for part in (
        "Failed (TasksFailed)",
        "Message:     one failed",
        "load (Finished)",
        "  succeeded   998      0-997",
        "  not done    1        998",
        '"rows": 42',
        "table   s3://b/t",
        "  0 of pack 99   Failed ",
        "    first\n      second",
    ):
        assert part in text, text


def test_many_ranges_are_cut() -> None:
    scattered = ",".join(str(index) for index in range(0, 400, 2))
    job = make_job(array={"size": 1000}, status={"array": {"failedIndexes": scattered}})
    (line,) = (line for line in describe(job, now=NOW) if line.startswith("  failed"))
    assert line.endswith(",…")
    assert len(line) < 140


def test_skipped_tasks_do_not_wait() -> None:
    done = {"succeededIndexes": "0-2", "skippedIndexes": "3-5", "runningIndexes": "6"}
    for array, left in (
        ({"size": 9}, "  waiting     2        7-8"),
        ({"size": 9, "pack": 2}, "  not done    3        6-8"),
    ):
        lines = describe(make_job(array=array, status={"array": done}), now=NOW)
        assert "  skipped     3        3-5" in lines
        assert lines[-1] == left


def test_u27_an_attempt_that_has_not_started_took_no_time() -> None:
    attempt = {"number": 0, "podName": "p", "startTime": "2026-11-21T10:00:00Z"}
    lines = describe(make_job(phase="Pending", status={"attempts": [attempt]}), now=NOW)
    assert lines[-1].split() == ["0", "pending", "-", "-", "-", "-", "p"]


def test_u26_messages_have_no_empty_last_line() -> None:
    attempt = {"number": 0, "outcome": "Failed", "message": "out of ink\n\n"}
    assert describe(make_job(phase="Failed", status={"attempts": [attempt]}), now=NOW)[-1].strip() == "out of ink"
