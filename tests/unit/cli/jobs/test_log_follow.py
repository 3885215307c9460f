"""Following logs through what may go wrong on the way: it must come to an end, and tell the truth about the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.connection import Connection
from podwright.cli.errors import CommandError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs import submission
from podwright.cli.jobs.log_follow import follow_job
from podwright.cli.patience import Deadline
from tests.unit.cli.jobs.objects import make_job, make_pod
from tests.unit.cli.jobs.stub import Stub
from tests.unit.cli.program import run
from tests.unit.cli.simulated import SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOB = "/apis/podwright.dev/v1alpha1/namespaces/n/batchjobs/report"
PODS = "/api/v1/namespaces/n/pods"
TROUBLE = (
    503,
    {"kind": "Status", "code": 503, "reason": "ServiceUnavailable", "message": "apiserver is shutting down"},
)
WAITING = (400, {"kind": "Status", "code": 400, "reason": "BadRequest", "message": "container is waiting to start"})
GONE = (
    404,
    {
        "kind": "Status",
        "code": 404,
        "reason": "NotFound",
        "message": 'pods "p-0" not found',
        "details": {"kind": "pods", "name": "p-0"},
    },
)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setattr("podwright.cli.jobs.log_follow._POLL_SECONDS", 0.01)
    monkeypatch.setattr("podwright.cli.jobs.log_stream._PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("podwright.cli.patience._PAUSE_SECONDS", 0.01)
    with Stub().running() as started:
        yield started


@pytest.fixture
def client(stub: Stub, tmp_path: Path) -> JobClient:
    return JobClient(Connection.open(kubeconfig=str(stub.kubeconfig(tmp_path / "k")), context=None), namespace="n")


def serve(stub: Stub, job: dict[str, Any], *pods: dict[str, Any], **logs: Any) -> None:
    """Serve a job and its pods; a log is an answer, or a list of answers to one request after the other."""
    stub.answers[JOB] = lambda query: (200, job)
    stub.answers[PODS] = lambda query: (200, {"items": list(pods)})
    for pod in pods:
        name = pod["metadata"]["name"]
        stub.answers[f"{PODS}/{name}"] = lambda query, pod=pod: (200, pod)  # type: ignore[misc]
        answers = logs[name.replace("-", "_")]
        script = iter(answers if isinstance(answers, list) else [answers])
        stub.answers[f"{PODS}/{name}/log"] = lambda query, script=script: next(script)  # type: ignore[misc]


def line(second: int, text: str) -> bytes:
    return f"2026-11-21T10:00:{second:02}Z {text}\n".encode()


def followed(client: JobClient, job: dict[str, Any], **how: Any) -> None:
    follow_job(client, job, deadline=Deadline(10.0), **how)


def test_a_pod_that_ended_before_its_container_started_is_not_waited_for(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(phase="Failed")
    serve(stub, job, make_pod("p-0", phase="Failed"), p_0=WAITING)
    followed(client, job)
    assert capsys.readouterr().err == "container is waiting to start\n"


def test_a_pod_without_a_node_is_told(stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]) -> None:
    job, pod = make_job(phase="Cancelled"), make_pod("p-0", phase="Pending")
    serve(stub, job, pod, p_0=(200, []))
    pods = iter([[pod], [pod]])
    stub.answers[PODS] = lambda query: (200, {"items": next(pods, [])})
    followed(client, job)
    assert capsys.readouterr().err == "the pod p-0 has not been assigned to a node\n"


def test_what_an_attempt_waits_for_is_told_once(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(phase="Succeeded")
    pods = [make_pod("p-0", phase="Failed"), make_pod("p-1", attempt=1)]
    serve(stub, job, *pods, p_0=(200, [line(1, "one")]), p_1=[WAITING, WAITING, (200, [line(2, "two")])])
    stub.answers[f"{PODS}/p-1"] = lambda query: (200, make_pod("p-1", attempt=1, phase="Succeeded"))
    followed(client, job, from_first=True)
    told = capsys.readouterr()
    assert told.out == "one\ntwo\n"
    assert told.err == "container is waiting to start\n--- attempt 1 ---\n"


@pytest.mark.parametrize(("from_first", "printed"), [(True, "one\ntwo\nthree\n"), (False, "three\n")])
def test_no_attempt_is_left_out(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str], from_first: bool, printed: str
) -> None:
    job = make_job(phase="Failed")
    pods = [make_pod(f"p-{number}", attempt=number, phase="Failed") for number in range(3)]
    texts = {f"p_{number}": (200, [line(number, text)]) for number, text in enumerate(("one", "two", "three"))}
    serve(stub, job, *pods, **texts)
    followed(client, job, from_first=from_first)
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("ended", ["succeededIndexes", "failedIndexes", "skippedIndexes"])
def test_a_task_that_is_over_is_not_waited_for(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str], ended: str
) -> None:
    job = make_job(phase="Running", array={"size": 9}, status={"array": {ended: "7"}})
    serve(stub, job)
    followed(client, job, task=7)
    assert capsys.readouterr().out == ""


def test_a_server_in_trouble_is_waited_for(stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]) -> None:
    job = make_job(phase="Succeeded")
    serve(stub, job, make_pod("p-0", phase="Succeeded"), p_0=[TROUBLE, (200, [line(1, "one")])])
    answers = iter([TROUBLE, TROUBLE])
    stub.answers[JOB] = lambda query: next(answers, (200, job))
    followed(client, job)
    assert capsys.readouterr().out == "one\n"


def test_a_stream_that_fell_silent_is_opened_again(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podwright.cli.jobs.log_stream._SILENCE_SECONDS", 0.1)
    job = make_job(phase="Succeeded")
    streams = [(200, [line(1, "one"), 5.0]), (200, [line(1, "one"), line(2, "two")])]
    serve(stub, job, make_pod("p-0", phase="Succeeded"), p_0=streams)
    followed(client, job)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_log_that_went_with_its_pod_is_told(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(phase="Failed")
    serve(stub, job, make_pod("p-0"), p_0=GONE)
    followed(client, job)
    assert "p-0 has gone" in capsys.readouterr().err


def test_a_kubelet_that_stays_away_is_given_up(stub: Stub, client: JobClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.cli.jobs.log_stream._GIVE_UP_SECONDS", 0.05)
    job = make_job(phase="Running")
    serve(stub, job, make_pod("p-0"), p_0=[TROUBLE] * 1000)
    with pytest.raises(CommandError, match="The log of the pod p-0 broke off"):
        followed(client, job)


def test_a_log_that_may_not_be_read_does_not_change_how_submit_exits(stub: Stub, client: JobClient) -> None:
    job = make_job(phase="Succeeded")
    forbidden = (403, {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "user cannot get pods/log"})
    serve(stub, job, make_pod("p-0", phase="Succeeded"), p_0=forbidden)
    assert submission.wait_for_end(client, [job], seconds=10.0, follow=True, tell=print) == 0


def test_what_cannot_be_followed_is_not_created(tmp_path: Path) -> None:
    with SimulatedCluster(tmp_path).running() as cluster:
        answer = run("submit", "x", "--image", "a", "--array", "2", "--follow", "--kubeconfig", str(cluster.kubeconfig))
        assert answer.returncode == 2
        assert "--follow can only be used with a single job" in answer.stderr
        assert cluster.created == []


def test_u17_what_an_image_waits_for_is_told_once_for_each_text(
    stub: Stub, client: JobClient, capsys: pytest.CaptureFixture[str]
) -> None:
    def waiting(text: str) -> tuple[int, Any]:
        return 400, {"kind": "Status", "reason": "BadRequest", "message": text, "code": 400}

    backoff, pulling = waiting("waiting to start: ImagePullBackOff"), waiting("waiting to start: ErrImagePull")
    serve(
        stub,
        make_job(phase="Running"),
        make_pod("p-0", phase="Pending", node="n-1"),
        p_0=[backoff, pulling, backoff, pulling, (200, [line(1, "one")])],
    )
    stub.answers[f"{PODS}/p-0"] = lambda query: (200, make_pod("p-0", phase="Succeeded"))
    follow_job(client, make_job(phase="Running"), deadline=Deadline(10.0), attempt=0)
    assert capsys.readouterr().err.count("waiting to start") == 2
