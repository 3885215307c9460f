"""Edits of a job's spec at awkward moments: what was decided stays, and whoever waits for the edit to be seen is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from podwright.devcluster import EmbeddedCluster
    from tests.cluster.api import Api
    from tests.cluster.jobs import Jobs

pytestmark = [pytest.mark.usefixtures("operator"), pytest.mark.timeout(120)]


def generation(api: Api, jobs: Jobs, name: str) -> int:
    return int(api.get("BatchJob", jobs.namespace, name).expect()["metadata"]["generation"])


@pytest.mark.parametrize("state", ["finished", "suspended", "running"])
def test_d8_k2_an_edit_is_observed_in_every_state(cluster: EmbeddedCluster, api: Api, jobs: Jobs, state: str) -> None:
    phase = {"finished": "Succeeded", "suspended": "Suspended", "running": "Running"}[state]
    jobs.submit("edited", script={} if state == "finished" else {"duration": "forever"}, suspend=state == "suspended")
    before = jobs.wait_for("edited", lambda status: status.get("phase") == phase)
    jobs.edit("edited", ttlSecondsAfterFinished=3600)
    wanted = generation(api, jobs, "edited")
    assert wanted > before["observedGeneration"]
    waiting = ("wait", f"--for=jsonpath={{.status.observedGeneration}}={wanted}", "--timeout=20s", "bj/edited")
    cluster.kubectl(*waiting, f"--namespace={jobs.namespace}")
    after = jobs.status("edited")
    assert {**after, "observedGeneration": 0, "conditions": 0} == {**before, "observedGeneration": 0, "conditions": 0}
    assert {each["observedGeneration"] for each in after["conditions"]} == {wanted}


def test_d7_an_edit_of_the_limit_that_ended_an_attempt_does_not_change_the_verdict(jobs: Jobs) -> None:
    """The node is asked to end a pod that took too long to start, and takes its time; meanwhile the limit goes."""
    script = {"pending": "1h", "never-terminates": "true"}
    jobs.submit("late", script=script, timeouts={"start": "1s"}, retry={"limit": 0, "timeoutLimit": 0})
    ending = jobs.wait_for("late", lambda status: bool((status.get("attempts") or [{}])[0].get("reason")))
    assert ending["attempts"][0]["reason"] == "StartTimeout"
    jobs.edit("late", timeouts={"start": "1h"})
    time.sleep(1.0)
    assert "finishTime" not in jobs.status("late")
    _end_as_the_kubelet(jobs)
    status = jobs.wait_until_over("late")
    (attempt,) = status["attempts"]
    assert (attempt["outcome"], attempt["reason"], attempt["budget"]) == ("Failed", "StartTimeout", "Timeout")


def test_d7_a_container_that_starts_while_its_pod_is_deleted_for_its_start_limit_is_still_too_late(jobs: Jobs) -> None:
    jobs.submit(
        "late",
        script={"pending": "1h", "never-terminates": "true"},
        timeouts={"start": "1s"},
        retry={"limit": 0, "timeoutLimit": 0},
    )
    jobs.wait_for("late", lambda status: bool((status.get("attempts") or [{}])[0].get("reason")))
    _end_as_the_kubelet(jobs, started="2026-01-01T00:00:00Z", exit_code=143)
    (attempt,) = jobs.wait_until_over("late")["attempts"]
    assert (attempt["reason"], attempt["budget"]) == ("StartTimeout", "Timeout")


def _end_as_the_kubelet(jobs: Jobs, *, started: str = "", exit_code: int = 137) -> None:
    """Let the only pod of the job `late` end, whether or not its container had started."""
    (pod,) = jobs.pods("late")
    terminated = {"exitCode": exit_code, "reason": "Error", "startedAt": started or None, "finishedAt": started or None}
    container = {"name": "main", "image": "busybox:1", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Failed", "containerStatuses": [{**container, "state": {"terminated": terminated}}]}
    jobs.patch_pod_status(pod["metadata"]["name"], status)
