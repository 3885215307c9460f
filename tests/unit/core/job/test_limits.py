"""Why an attempt is ended although its job goes on."""

import msgspec
import pytest

from podwright.core.job.limits import due_ending, has_limits
from podwright.core.model.pod import PodPhase
from tests.support.builders import CREATED, make_job, make_pod, running

STARTING = make_job(start_timeout=10.0)
WATCHED = make_job(progress_timeout=5.0)
IDLE = msgspec.structs.replace(running(make_pod(WATCHED), at=CREATED), message="podwright: no progress for 5s\n")


@pytest.mark.parametrize(
    ("waiting", "want"),
    [
        pytest.param("ErrImagePull", "ErrImagePull", id="K12 image"),
        pytest.param("ImagePullBackOff", "ErrImagePull", id="K12 image between two tries"),
        pytest.param("InvalidImageName", "InvalidImageName", id="K12 name of the image"),
        pytest.param("CreateContainerConfigError", "StartTimeout", id="another wait"),
        pytest.param("", "StartTimeout", id="no reason"),
    ],
)
def test_what_a_pod_waited_for_when_its_time_was_over(waiting: str, want: str) -> None:
    pod = make_pod(STARTING, node="n", phase=PodPhase.PENDING, waiting_reason=waiting, waiting_message="why")
    assert due_ending(job=STARTING, pod=pod, now=CREATED + 9.0) is None
    ending = due_ending(job=STARTING, pod=pod, now=CREATED + 20.0)
    assert ending is not None
    assert ending.reason == want
    assert "spec.timeouts.start (10 s)" in ending.message, "the clock is a detail"


def test_d23_an_attempt_without_progress_ends_although_a_container_runs_on() -> None:
    assert has_limits(WATCHED)
    ending = due_ending(job=WATCHED, pod=IDLE, now=CREATED)
    assert ending is not None
    assert (ending.reason, ending.message) == ("ProgressTimeout", "podwright: no progress for 5s")
    assert due_ending(job=make_job(), pod=IDLE, now=CREATED) is None, "nobody asked for it"
