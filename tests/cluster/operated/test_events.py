"""What `kubectl describe` and `kubectl events` show of a job, with the operator's own rights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.jobs import Jobs

pytestmark = pytest.mark.usefixtures("operator")


def test_u4_describe_and_events_show_what_went_wrong(cluster: EmbeddedCluster, jobs: Jobs) -> None:
    jobs.submit("bad", script={"exit-code": "3"}, retry={"limit": 1, "initial": "10ms", "max": "10ms"})
    jobs.submit("good")
    jobs.wait_until_over("bad")
    jobs.wait_until_over("good")
    until = time.monotonic() + 20
    while "DeadLettered" not in (shown := cluster.kubectl("describe", "bj", "bad", f"--namespace={jobs.namespace}")):
        assert time.monotonic() < until, shown
        time.sleep(0.2)
    assert "Retrying" in shown
    listed = cluster.kubectl("events", "--for=batchjob/bad", f"--namespace={jobs.namespace}")
    assert "attempt 0 failed (Error, exit code 3)" in listed
    quiet = cluster.kubectl("events", "--for=batchjob/good", f"--namespace={jobs.namespace}")
    assert "good" not in quiet, "a job that just succeeds makes no event"
