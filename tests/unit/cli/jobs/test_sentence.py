from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from podwright.cli.jobs.sentence import Facts, Leader, why
from tests.unit.cli.jobs.objects import make_job, make_pod

NOW = datetime.fromisoformat("2026-11-21T10:05:00Z").timestamp()
LED = Leader(holder="op-1")
UNLED = Leader(problem="no operator leads: nobody holds the Lease")
UNSCHEDULED: Any = {
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]
}
PULLING: Any = {
    "containerStatuses": [
        {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    ]
}
CREATING: Any = {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]}
B28: Any = [{"name": "main", "state": {"terminated": {"exitCode": 0}}}, {"name": "proxy", "state": {"running": {}}}]
MOUNTING: Any = [
    {"type": "Normal", "reason": "Scheduled", "message": "assigned", "lastTimestamp": "2026-11-21T10:04:30Z"},
    {
        "type": "Warning",
        "reason": "FailedMount",
        "message": 'MountVolume.SetUp failed: configmap "conf" not found',
        "lastTimestamp": "2026-11-21T10:04:20Z",
    },
    {"type": "Warning", "reason": "FailedScheduling", "message": "0/1", "eventTime": "2026-11-21T10:04:00.000000Z"},
]
STARTED: Any = {"startTime": "2026-11-21T10:04:00Z"}


def end(**status: Any) -> dict[str, Any]:
    return {"finishTime": "2026-11-21T10:04:30Z", **status}


@pytest.mark.parametrize(
    ("job", "others", "said"),
    [
        (
            make_job(phase="Succeeded", status=end(reason="Completed", message="attempt 0 succeeded")),
            {},
            "report succeeded 30s ago (Completed): attempt 0 succeeded.",
        ),
        (
            make_job(
                phase="Failed",
                status=end(reason="RetriesExhausted", message="limit reached", attempts=[{"message": "disk\nfull\x1b[0m"}]),
            ),
            {},
            'report failed 30s ago (RetriesExhausted): limit reached. The last attempt said: "disk full".',
        ),
        pytest.param(
            make_job(phase="Failed", status=end(reason="Error", message="limit reached", attempts=[{"message": "trace\n" * 50 + "FATAL full\n"}])),
            {},
            'report failed 30s ago (Error): limit reached. The last attempt said: "FATAL full".',
            id="B6 the end of a long log",
        ),
        (
            make_job(phase="Failed", array={"size": 9}, status=end(reason="TasksFailed", message="2 failed", array={"failedIndexes": "3,7"})),
            {},
            "report failed 30s ago (TasksFailed): 2 failed. Failed tasks: 3,7. Run what is not done: podwright retry report",
        ),
        (
            make_job(phase="DeadLettered", status=end(reason="RetriesExhausted", message="limit reached")),
            {},
            "report became a dead letter 30s ago (RetriesExhausted): limit reached."
            " Run it again: podwright dlq redrive report",
        ),
        pytest.param(
            make_job(phase="DeadLettered", meta={"annotations": {"podwright.dev/retried-as": "report-retry1"}}, status=end(reason="RetriesExhausted", message="limit reached")),
            {},
            "report became a dead letter 30s ago (RetriesExhausted): limit reached. It was already retried as report-retry1.",
            id="a dead letter that was retried",
        ),
        (
            make_job(phase="DeadLettered", array={"size": 9}, status=end(reason="TasksFailed", message="2 failed", array={"failedIndexes": "3,7"})),
            {},
            "report became a dead letter 30s ago (TasksFailed): 2 failed. Failed tasks: 3,7."
            " Run what is not done: podwright dlq redrive report",
        ),
        (
            make_job(phase="Skipped", status=end(reason="Duplicate", message="not run", duplicateOf="first")),
            {},
            "report was skipped 30s ago (Duplicate): not run. The job first runs under the same idempotency key.",
        ),
        (make_job(), {"leader": UNLED}, "No operator has reconciled report; it was created 5m ago: no operator leads: nobody holds the Lease."),
        (make_job(), {"leader": LED}, "The operator op-1 leads but has not reconciled report yet; it was created 5m ago."),
        (make_job(), {}, "No operator has reconciled report; it was created 5m ago. Your rights don't allow to see whether one runs."),
        (make_job(meta={"deletionTimestamp": "2026-11-21T10:04:00Z"}), {}, "report is being deleted; it goes when its pods have ended."),
        (make_job(cancel="Graceful", phase="Stopping"), {"pods": [make_pod("p-0")]}, "report is being cancelled (Graceful) and waits for its pod p-0 to end."),
        (make_job(suspend=True, phase="Suspended"), {}, "report is suspended (spec.suspend is true). Let it go on: podwright resume report"),
        (make_job(suspend=True, phase="Running"), {"pods": [make_pod(), make_pod()]}, "report is being suspended (spec.suspend is true) and waits for its 2 pods to end."),
        (
            make_job(phase="Stopping", status={"reason": "TotalTimeout", "message": "took too long"}),
            {"pods": [make_pod("p-0")]},
            "report is being stopped (TotalTimeout): took too long; it waits for its pod p-0 to end.",
        ),
        (make_job(startAt="2026-11-21T11:05:00Z", phase="Pending"), {}, "report waits until 2026-11-21 11:05:00+00:00, in 60m (spec.startAt)."),
        (
            make_job(dependsOn=[{"name": "load"}, {"name": "gone"}, {"name": "done", "condition": "Finished"}]),
            {"others": {"load": make_job("load", phase="Running"), "gone": None, "done": make_job("done", phase="Failed")}},
            "report waits for the job load to succeed, which is Running and for the job gone to succeed, which does not exist (spec.dependsOn).",
        ),
        (
            make_job(phase="Retrying", status={"nextAttemptTime": "2026-11-21T10:05:20Z", "attemptCount": 2, "reason": "Error", "message": "exit code 3"}),
            {},
            "report waits for its attempt 2, in 20s (Error): exit code 3.",
        ),
        (make_job(phase="Pending"), {"pods": [make_pod("p-0", phase="Pending", **UNSCHEDULED)]}, "report waits for its pod p-0: no node takes it (Unschedulable): 0/3 nodes."),
        (make_job(phase="Pending"), {"pods": [make_pod("p-0", phase="Pending", **PULLING)]}, "report waits for its pod p-0: container main cannot start (ImagePullBackOff): no such image."),
        (make_job(phase="Pending"), {"pods": [make_pod("p-0", phase="Pending", node="n-1", **CREATING)]}, "report waits for its pod p-0 to start on node n-1."),
        (make_job(phase="Running"), {"pods": [make_pod("p-0", node="n-1", **STARTED)]}, "report has been running for 60s in pod p-0 on node n-1."),
        (
            make_job(phase="Running"),
            {"pods": [make_pod("p-0", node="n-1", deleted="2026-11-21T10:04:00Z", **STARTED)]},
            "report waits for its pod p-0: it should have ended 60s ago, but the node n-1 does not say that it did.",
        ),
        (make_job(phase="Running"), {"pods": [make_pod("p-0", node="n-1", deleted="2026-11-21T10:04:55Z", **STARTED)]}, "report has been running for 60s in pod p-0 on node n-1."),
        (
            make_job(phase="Running", array={"size": 9}, status={"progress": "3/9", "array": {"failedIndexes": "5"}}),
            {"pods": [make_pod("p-3", index=3), make_pod("p-4", index=4, phase="Pending", **PULLING), make_pod("p-5", phase="Failed")]},
            "report runs 2 pods; 3/9 tasks have succeeded, 1 failed (5). 1 of the pods cannot go on, such as p-4 (index 4): "
            "container main cannot start (ImagePullBackOff): no such image.",
        ),
        (
            make_job(phase="Pending"),
            {"pods": [make_pod("p-0", phase="Pending", node="n-1", **CREATING)], "events": {"p-0": MOUNTING}},
            'report waits for its pod p-0: FailedMount: MountVolume.SetUp failed: configmap "conf" not found.',
        ),
        (
            make_job(phase="Running", template={"spec": {"containers": [{"name": "main"}]}}),
            {"pods": [make_pod("p-0", containerStatuses=B28, **STARTED)]},
            "report has been running for 60s in pod p-0. Its container main ended with exit code 0; proxy still runs. proxy is not in the"
            " job's template but was added to the pod: have it injected as a native sidecar (an init container with"
            " restartPolicy: Always), which ends with the job.",
        ),
        (
            make_job(phase="Pending", dependsOn=[{"name": "b"}], status={"reason": "DependencyCycle", "message": "a waits for b waits for a"}),
            {"others": {"b": make_job("b", phase="Pending")}},
            "report is Pending (DependencyCycle): a waits for b waits for a.",
        ),
        (make_job(phase="Pending", status={"reason": "QuotaExceeded", "message": "pods 10/10"}), {}, "report is Pending (QuotaExceeded): pods 10/10."),
        (
            make_job(phase="Pending", status={"reason": "QuotaExceeded", "message": "pods 10/10"}),
            {"leader": UNLED},
            "report is Pending (QuotaExceeded): pods 10/10. But no operator leads: nobody holds the Lease, so nothing will happen until one does.",
        ),
    ],
)  # fmt: skip
def test_why(job: dict[str, Any], others: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.cli.jobs.sentence.local", _utc)
    assert why(Facts(job=job, now=NOW, **others)) == said


def _utc(seconds: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ")
