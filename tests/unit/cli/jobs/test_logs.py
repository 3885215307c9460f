"""`podwright logs` against a server whose logs break off, are late, packed, or gone."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.jobs.objects import make_job, make_pod
from tests.unit.cli.jobs.stub import Stub
from tests.unit.cli.program import PODWRIGHT, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JOBS = "/apis/podwright.dev/v1alpha1/namespaces/n/batchjobs"
JOB = f"{JOBS}/report"
PODS = "/api/v1/namespaces/n/pods"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as started:
        yield started


@pytest.fixture
def logs(stub: Stub, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    kubeconfig = stub.kubeconfig(tmp_path / "kubeconfig")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        answer = run("logs", "report", "--kubeconfig", str(kubeconfig), *arguments)
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer

    return call


def serve(stub: Stub, job: dict[str, Any], **pods: tuple[dict[str, Any], list[bytes | None]]) -> None:
    """Serve a job and its pods with their logs."""
    stub.answers[JOB] = lambda query: (200, job)
    stub.answers[PODS] = lambda query: (200, {"items": [pod for pod, _ in pods.values()]})
    for pod, log in pods.values():
        name = pod["metadata"]["name"]
        stub.answers[f"{PODS}/{name}"] = lambda query, pod=pod: (200, pod)  # type: ignore[misc]
        stub.answers[f"{PODS}/{name}/log"] = lambda query, log=log: (200, log)  # type: ignore[misc]


def test_the_last_attempt_is_printed_as_it_is(stub: Stub, logs: Any) -> None:
    serve(
        stub,
        make_job(phase="Failed"),
        a=(make_pod("p-0", attempt=0, phase="Failed"), [b"first\n"]),
        b=(make_pod("p-1", attempt=1, phase="Failed"), [b"sec", b"ond\n\x1b[31mred\x1b[0m\nno end"]),
    )
    assert logs().stdout == "second\n\x1b[31mred\x1b[0m\nno end\n"  # to a pipe; see below for a terminal
    assert logs("--previous").stdout == "first\n"
    assert logs("--attempt", "0").stdout == "first\n"
    missing = logs("--attempt", "7")
    assert missing.returncode == 1
    assert "there are pods of attempt 0, 1" in missing.stderr
    logs("--tail", "5", "--container", "sidecar")
    assert stub.asked[-1] == (f"{PODS}/p-1/log", {"container": "sidecar", "tailLines": "5"})


def test_a_terminal_is_not_steered_by_a_log(stub: Stub, tmp_path: Path) -> None:
    serve(stub, make_job(phase="Failed"), a=(make_pod("p-0", phase="Failed"), [b"\x1b[2J\x1b]0;title\x07hello\n"]))
    kubeconfig = stub.kubeconfig(tmp_path / "kubeconfig")
    ours, theirs = pty.openpty()
    try:
        command = [str(PODWRIGHT), "logs", "report", "--kubeconfig", str(kubeconfig)]
        subprocess.run(command, stdout=theirs, stderr=subprocess.STDOUT, timeout=60, check=True)
        assert os.read(ours, 4096) == b"hello\r\n"
    finally:
        os.close(ours)
        os.close(theirs)


def test_the_tasks_of_a_small_array_are_told_apart(stub: Stub, logs: Any) -> None:
    job = make_job(phase="Running", array={"size": 2})
    serve(stub, job, a=(make_pod("p-0", index=0), [b"zero\n"]), b=(make_pod("p-1", index=1), [b"one\n"]))
    assert logs().stdout == "[task 0] zero\n[task 1] one\n"
    assert logs("--task", "1").stdout == "one\n"
    assert "Add --task INDEX" in logs("-f", "--attempt", "0").stderr


def test_a_packed_task_is_cut_out_of_the_newest_pod_that_ran_it(stub: Stub, logs: Any) -> None:
    job = make_job(phase="Failed", array={"size": 8, "pack": 4})
    first = b"[podwright] task 4 started\nfour\n[podwright] task 4 exit 0 after 1s\n[podwright] task 5 started\nfive\n[podwright] task 5 exit 3 after 1s\n"
    second = b"[podwright] task 5 started\nfive again\n[podwright] task 5 exit 3 after 1s\n"
    serve(
        stub,
        job,
        a=(make_pod("p-0", index=1, attempt=0, phase="Failed"), [first]),
        b=(make_pod("p-1", index=1, attempt=1, phase="Failed"), [second]),
    )
    assert logs("--task", "4").stdout == first.decode().partition("[podwright] task 5")[0]
    assert logs("--task", "5").stdout == second.decode()
    assert logs("--task", "5", "--tail", "1").stdout == "[podwright] task 5 exit 3 after 1s\n"
    assert "Task 6 has not started" in logs("--task", "6").stderr


def test_without_a_pod_the_record_is_printed(stub: Stub, logs: Any) -> None:
    attempts = [{"number": 0, "podName": "p-0", "message": "last \x1b[1mwords"}]
    serve(stub, make_job(phase="Failed", status={"attempts": attempts}))
    answer = logs()
    assert (answer.returncode, answer.stdout) == (0, "last words\n")
    assert "The pod p-0 is gone" in answer.stderr
    assert logs("--attempt", "1").returncode == 1


def test_a_container_that_has_not_started_is_told(stub: Stub, logs: Any) -> None:
    serve(stub, make_job(phase="Pending"), a=(make_pod("p-0", phase="Pending", node="n1"), []))
    waiting = {
        "kind": "Status",
        "code": 400,
        "reason": "BadRequest",
        "message": "container is waiting to start: pulling",
    }
    stub.answers[f"{PODS}/p-0/log"] = lambda query: (400, waiting)
    answer = logs()
    assert answer.returncode == 1
    assert "There is no log yet: container is waiting to start" in answer.stderr


def test_a_pod_without_a_node_has_no_log_yet(stub: Stub, logs: Any) -> None:
    """The API server shows an empty log of such a pod."""
    serve(stub, make_job(phase="Pending"), a=(make_pod("p-0", phase="Pending"), []))
    answer = logs()
    assert answer.returncode == 1
    assert answer.stderr == (
        "podwright: There is no log yet: the pod p-0 has not been assigned to a node.\npodwright why report\n"
    )


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        pytest.param(("logs", "report", "--follow"), f"{PODS}/p-0/log", id="logs --follow"),
        pytest.param(("wait", "report"), JOBS, id="wait"),
    ],
)
def test_an_interrupt_says_that_the_job_goes_on(
    stub: Stub, tmp_path: Path, arguments: tuple[str, ...], asked: str
) -> None:
    serve(stub, make_job(phase="Running", meta={"resourceVersion": "1"}), a=(make_pod("p-0"), []))
    stub.answers[f"{PODS}/p-0/log"] = stub.answers[JOBS] = lambda query: (200, [b"\n", 30.0])
    command = [str(PODWRIGHT), *arguments, "--kubeconfig", str(stub.kubeconfig(tmp_path / "k"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while asked not in [path for path, _ in stub.asked]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert told == "Interrupted; the job goes on.\n"


def test_following_goes_on_after_a_break_and_through_attempts(stub: Stub, logs: Any) -> None:
    """The first pod's stream breaks in the middle of a line; then the second attempt comes, late; then the job is over."""
    state: dict[str, Any] = {"job": make_job(phase="Running"), "pods": [make_pod("p-0")]}
    stub.answers[JOB] = lambda query: (200, state["job"])
    stub.answers[PODS] = lambda query: (200, {"items": state["pods"]})
    tries = iter(range(9))

    def first_log(query: dict[str, str]) -> tuple[int, Any]:
        if next(tries) == 0:
            assert "sinceTime" not in query
            return 200, [b"2026-11-21T10:00:00.1Z one\n2026-11-21T10:00:00.25Z two\n2026-11-21T10:00:00.3Z thr", None]
        assert query["sinceTime"] == "2026-11-21T10:00:00.25Z"
        state["pods"] = [make_pod("p-0", phase="Failed"), make_pod("p-1", attempt=1, phase="Succeeded")]
        return 200, [b"2026-11-21T10:00:00.1Z one\n2026-11-21T10:00:00.25Z two\n2026-11-21T10:00:00.3Z three\n"]

    def second_log(query: dict[str, str]) -> tuple[int, Any]:
        state["job"] = make_job(phase="Succeeded")
        return 200, [b"2026-11-21T10:00:05Z four\n"]

    stub.answers[f"{PODS}/p-0"] = lambda query: (200, state["pods"][0])
    stub.answers[f"{PODS}/p-1"] = lambda query: (200, state["pods"][1])
    stub.answers[f"{PODS}/p-0/log"] = first_log
    stub.answers[f"{PODS}/p-1/log"] = second_log
    answer = logs("-f")
    assert answer.stdout == "one\ntwo\nthree\nfour\n"
    assert answer.stderr == "--- attempt 1 ---\n"
    assert answer.returncode == 0


def test_a_reader_that_goes_away_is_no_error(stub: Stub, tmp_path: Path) -> None:
    serve(stub, make_job(phase="Failed"), a=(make_pod("p-0", phase="Failed"), [b"line\n" * 200_000]))
    kubeconfig = stub.kubeconfig(tmp_path / "kubeconfig")
    process = subprocess.Popen(
        [str(PODWRIGHT), "logs", "report", "--kubeconfig", str(kubeconfig)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with contextlib.closing(process.stderr):
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) != 0


def test_u18_a_command_that_is_not_there_is_an_error(stub: Stub, logs: Any) -> None:
    ended = {"terminated": {"reason": "StartError", "message": 'exec: "nope": executable file not found'}}
    pod = make_pod("p-0", phase="Failed", containerStatuses=[{"name": "main", "state": ended}])
    serve(stub, make_job(phase="Failed"), a=(pod, []))
    answer = logs()
    assert answer.returncode == 1
    assert 'did not start (StartError: exec: "nope": executable file not found)' in answer.stderr


def test_since_and_timestamps_are_passed_on(stub: Stub, logs: Any) -> None:
    serve(stub, make_job(phase="Failed"), a=(make_pod("p-0", phase="Failed"), [b"2026-11-21T10:00:01Z hello\n"]))
    assert logs("--since", "5m", "--timestamps").stdout == "2026-11-21T10:00:01Z hello\n"
    asked = next(query for path, query in stub.asked if path.endswith("/log"))
    assert asked == {"container": "main", "sinceSeconds": "300", "timestamps": "true"}


def test_an_array_is_followed_with_the_task_before_each_line(stub: Stub, logs: Any) -> None:
    job = make_job(phase="Succeeded", array={"size": 2})
    lines: list[bytes | None] = [b"2026-11-21T10:00:01Z hello\n"]
    pods = {f"t{index}": (make_pod(f"p-{index}", index=index, phase="Succeeded"), lines) for index in (0, 1)}
    serve(stub, job, **pods)
    answer = logs("--follow")
    assert answer.returncode == 0
    assert sorted(answer.stdout.splitlines()) == ["[task 0] hello", "[task 1] hello"]


@pytest.mark.parametrize("follow", [(), ("--follow",)], ids=["", "follow"])
def test_jobs_are_selected_by_labels(stub: Stub, tmp_path: Path, follow: tuple[str, ...]) -> None:
    jobs = [make_job(name, phase="Failed", uid=name) for name in ("one", "two")]
    serve(stub, jobs[0])
    stub.answers[JOB.rpartition("/")[0]] = lambda query: (200, {"items": jobs, "metadata": {}})
    for job in jobs:
        path = f"{JOB.rpartition('/')[0]}/{job['metadata']['name']}"
        stub.answers[path] = lambda query, job=job: (200, job)  # type: ignore[misc]
        pod = make_pod(f"p-{job['metadata']['name']}", phase="Failed")
        stub.answers[f"{PODS}/{pod['metadata']['name']}"] = lambda query, pod=pod: (200, pod)  # type: ignore[misc]
        stub.answers[f"{PODS}/{pod['metadata']['name']}/log"] = lambda query: (200, [b"2026-11-21T10:00:01Z hello\n"])
    stub.answers[PODS] = lambda query: (
        200,
        {"items": [make_pod(f"p-{query['labelSelector'].rpartition('=')[2]}", phase="Failed")]},
    )
    kubeconfig = stub.kubeconfig(tmp_path / "config")
    answer = run("logs", "-l", "team=x", "--kubeconfig", str(kubeconfig), *follow)
    assert answer.returncode == 0, answer
    said = "hello" if follow else "2026-11-21T10:00:01Z hello"
    assert sorted(answer.stdout.splitlines()) == [f"[one] {said}", f"[two] {said}"]
