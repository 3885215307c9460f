"""The verbs for jobs on a real API server: what they change, print and exit with."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.manifests import make_job

if TYPE_CHECKING:
    from tests.cluster.api import Api
    from tests.cluster.commands.conftest import Records, Shell
    from tests.cluster.jobs import Jobs


@pytest.fixture
def job_of(api: Api, namespace: str) -> Any:
    return lambda name: api.get("BatchJob", namespace, name).expect()


def test_submit_makes_a_job_from_flags(podwright: Shell, job_of: Any) -> None:
    told = podwright.out(
        *("submit", "report", "--image", "busybox:1", "--retry", "5", "--timeout", "10m", "--env", "A=b"),
        *("--items", "x,y", "--parallelism", "1", "--depends-on", "load:finished", "--start-at", "+10m"),
        *("--idempotency-key", "today", "--cpu", "10m", "--", "sh", "-c", "echo --dry-run"),
    )
    assert told == "batchjob.podwright.dev/report created\n"
    spec = job_of("report")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "-c", "echo --dry-run"]
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert container["resources"] == {"requests": {"cpu": "10m"}}
    assert spec["retry"]["limit"] == 5
    assert spec["timeouts"] == {"attempt": "10m"}
    assert spec["array"]["items"] == ["x", "y"]
    assert spec["dependsOn"] == [{"name": "load", "condition": "Finished", "otherwise": "Fail", "tasks": "All"}]
    assert spec["idempotencyKey"] == "today"
    assert spec["startAt"]


def test_submit_makes_up_a_name(podwright: Shell) -> None:
    created = podwright.out("submit", "--image", "busybox:1", "-o", "name", "--", "true").strip()
    assert created.startswith("batchjob.podwright.dev/job-")
    assert podwright.out("list", "-o", "name").strip() == created


def test_submit_reads_manifests_from_standard_input(podwright: Shell, namespace: str) -> None:
    manifests = yaml.safe_dump_all([make_job(namespace=namespace, name=name) for name in ("one", "two")])
    printed = podwright.out("submit", "-f", "-", "-o", "json", stdin=manifests)
    assert [item["metadata"]["name"] for item in json.loads(printed)["items"]] == ["one", "two"]


@pytest.mark.parametrize("mode", ["--dry-run", "--dry-run=client", "--dry-run=server"])
def test_a_dry_run_creates_nothing(podwright: Shell, mode: str) -> None:
    assert "dry run" in podwright.out("submit", "never", mode, "--image", "busybox:1")
    printed = podwright.out("submit", "never", mode, "--image", "busybox:1", "-o", "yaml")
    assert yaml.safe_load(printed)["metadata"]["name"] == "never"
    assert podwright.out("list", "-o", "name") == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("submit", "x", "--image", "a", "--retry", "101"), "spec.retry.limit"),
        (("submit", "-f", "missing.yaml"), "Cannot read missing.yaml"),
        (("submit", "x", "--image", "a", "-n", "nowhere"), "there is no namespace nowhere"),
        (("get", "repot"), "Did you mean report?"),
        (("get", "report", "--context", "moon"), "There is no context moon"),
        (("delete", "--all"), "no terminal"),
        (("logs", "report", "--task", "3"), "is not an array"),
        (("retry", "report"), "has not finished"),
        (("list", "-l", "a in b"), "unable to parse"),
        (("dlq", "redrive", "report"), "is not a dead letter"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_and_exit_with_1(
    podwright: Shell, jobs: Jobs, arguments: tuple[str, ...], complaint: str
) -> None:
    jobs.submit("report")
    answer = podwright(*arguments)
    assert answer.returncode == 1
    assert complaint in answer.stderr
    assert answer.stdout == ""


def test_a_manifest_with_an_unknown_field_is_refused(podwright: Shell, namespace: str) -> None:
    answer = podwright("submit", "-f", "-", stdin=yaml.safe_dump(make_job(namespace=namespace, retrys={})))
    assert answer.returncode == 1
    assert "spec.retrys" in answer.stderr


def test_submitting_twice_tells_of_the_first(podwright: Shell, jobs: Jobs) -> None:
    jobs.submit("report")
    answer = podwright("submit", "report", "--image", "busybox:1")
    assert answer.returncode == 1
    assert "There is already a job report" in answer.stderr


def test_list_shows_what_people_look_for(podwright: Shell, jobs: Jobs, records: Records, namespace: str) -> None:
    jobs.submit("done")
    jobs.submit("new")
    records.write("done", "Succeeded", reason="Completed", progress="1/1", attemptCount=2)
    head, done, new = podwright.out("list").splitlines()
    assert head.split() == ["NAME", "PHASE", "PROGRESS", "ATTEMPTS", "DURATION", "AGE", "REASON"]
    cells = done.split()
    assert cells[:4] + cells[6:] == ["done", "Succeeded", "1/1", "2", "Completed"]
    assert new.split()[:4] == ["new", "Pending", "-", "0"]
    assert podwright.out("list", "--no-headers", "--phase", "succeeded").split()[0] == "done"
    assert podwright.out("list", "-o", "name", "--field-selector", "status.phase=Succeeded").endswith("/done\n")
    assert "FINISHED" in podwright.out("list", "-o", "wide")
    everywhere = podwright.out("list", "-A").splitlines()
    assert everywhere[0].startswith("NAMESPACE")
    assert any(line.split()[:2] == [namespace, "done"] for line in everywhere)
    assert {item["kind"] for item in json.loads(podwright.out("list", "-o", "json"))["items"]} == {"BatchJob"}
    assert len(yaml.safe_load(podwright.out("list", "-o", "yaml"))["items"]) == 2


def test_an_empty_list_says_so_beside_the_results(podwright: Shell, namespace: str) -> None:
    answer = podwright("list")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", f"No jobs found in namespace {namespace}.\n")


def test_a_watch_prints_each_change(podwright: Shell, jobs: Jobs, records: Records) -> None:
    jobs.submit("watched")
    process = podwright.start("list", "-w")
    assert process.stdout is not None
    try:
        assert process.stdout.readline().split()[0] == "NAME"
        assert process.stdout.readline().split()[0] == "watched"
        records.write("watched", "Running")
        assert process.stdout.readline().split()[:2] == ["watched", "Running"]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_get_describes_a_job_and_gives_it_as_object(podwright: Shell, jobs: Jobs, records: Records) -> None:
    jobs.submit("array", array={"size": 10})
    records.write(
        "array",
        "Running",
        progress="3/10",
        array={
            "succeeded": 3,
            "failed": 1,
            "running": 2,
            "succeededIndexes": "0-2",
            "failedIndexes": "7",
            "runningIndexes": "3-4",
        },
        attempts=[
            {"index": 7, "number": 3, "podName": "p", "outcome": "Failed", "exitCode": 3, "message": "no \x1b[31mluck"}
        ],
    )
    text = podwright.out("get", "array")
    assert "Phase:      Running" in text
    assert "waiting     4        5-6,8-9" in text
    assert "3 of task 7   Failed    3" in text
    assert "no luck" in text
    assert json.loads(podwright.out("get", "array", "-o", "json"))["spec"]["array"]["size"] == 10
    assert "managedFields" not in yaml.safe_load(podwright.out("get", "array", "-o", "yaml"))["metadata"]
    assert podwright.out("get", "array", "-o", "name") == "batchjob.podwright.dev/array\n"


def test_wait_exits_by_how_the_jobs_ended(podwright: Shell, jobs: Jobs, records: Records) -> None:
    for name in ("good", "bad", "open"):
        jobs.submit(name)
    records.write("good", "Succeeded")
    records.write("bad", "Failed", reason="RetriesExhausted", message="it broke")
    assert podwright("wait", "good").returncode == 0
    failed = podwright("wait", "good", "bad")
    assert failed.returncode == 1
    assert "batchjob.podwright.dev/bad failed (RetriesExhausted): it broke" in failed.stdout
    late = podwright("wait", "open", "--timeout", "1s")
    assert late.returncode == 124
    assert "open (Pending)" in late.stderr


@pytest.mark.parametrize("end", ["succeeds", "fails", "is deleted"])
def test_wait_sees_the_end_when_it_comes(podwright: Shell, jobs: Jobs, records: Records, api: Api, end: str) -> None:
    jobs.submit("one")
    jobs.submit("two")
    records.write("two", "Succeeded")
    process = podwright.start("wait", "one", "two", "--timeout", "60s")
    time.sleep(1.5)
    assert process.poll() is None
    if end == "is deleted":
        api.delete("BatchJob", jobs.namespace, "one").expect()
    else:
        records.write("one", "Succeeded" if end == "succeeds" else "Failed")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == (0 if end == "succeeds" else 1)
    assert "/one " in out


def test_submit_and_wait_in_one(podwright: Shell, records: Records, jobs: Jobs, api: Api) -> None:
    process = podwright.start("submit", "now", "--image", "busybox:1", "--wait")
    until = time.monotonic() + 20
    while not api.get("BatchJob", jobs.namespace, "now").ok:
        assert time.monotonic() < until
        time.sleep(0.05)
    records.write("now", "Failed")
    process.communicate(timeout=30)
    assert process.returncode == 1
    answer = podwright("submit", "later", "--image", "busybox:1", "--wait", "--wait-timeout", "1s")
    assert answer.returncode == 124
    assert answer.stderr == "Not finished after 1s: later (Pending).\n"


def test_cancel_suspend_resume(podwright: Shell, jobs: Jobs, records: Records, job_of: Any) -> None:
    jobs.submit("a")
    jobs.submit("over")
    records.write("over", "Succeeded")
    assert podwright.out("suspend", "a") == "batchjob.podwright.dev/a suspended\n"
    assert job_of("a")["spec"]["suspend"] is True
    assert "is already suspended" in podwright("suspend", "a").stderr
    assert "(dry run)" in podwright.out("resume", "a", "--dry-run")
    podwright.out("resume", "a")
    assert job_of("a")["spec"]["suspend"] is False
    assert podwright("suspend", "over").returncode == 1
    finished = podwright("cancel", "over")
    assert finished.returncode == 0
    assert "has already finished (Succeeded)" in finished.stderr
    podwright.out("cancel", "a", "--dry-run=server")
    assert "cancel" not in job_of("a")["spec"]
    podwright.out("cancel", "a")
    assert job_of("a")["spec"]["cancel"] == "Graceful"
    podwright.out("cancel", "a", "--immediate")
    assert job_of("a")["spec"]["cancel"] == "Immediate"
    assert "immediately" in podwright("cancel", "a").stderr


def test_a_selector_leaves_finished_jobs_out(podwright: Shell, jobs: Jobs, records: Records, api: Api) -> None:
    for name in ("a", "b", "over"):
        jobs.submit(name)
        api.patch("BatchJob", jobs.namespace, name, {"metadata": {"labels": {"team": "x"}}}).expect()
    records.write("over", "Failed")
    told = podwright.out("cancel", "-l", "team=x", "--rate", "100/s")
    assert told == "batchjob.podwright.dev/a cancelled\nbatchjob.podwright.dev/b cancelled\n"


def test_restart_makes_one_copy_however_often_it_is_asked(
    podwright: Shell, jobs: Jobs, records: Records, job_of: Any
) -> None:
    jobs.submit("nightly", retry={"limit": 2})
    running = podwright("restart", "nightly")
    assert running.returncode == 1
    assert "has not finished" in running.stderr
    podwright.out("cancel", "nightly")
    records.write("nightly", "Cancelled")
    assert podwright.out("restart", "nightly") == "batchjob.podwright.dev/nightly-r1 created\n"
    assert podwright.out("restart", "nightly") == "batchjob.podwright.dev/nightly-r1 unchanged\n"
    copy = job_of("nightly-r1")
    assert copy["metadata"]["annotations"]["podwright.dev/restart-of"] == job_of("nightly")["metadata"]["uid"]
    assert "cancel" not in copy["spec"]
    assert copy["spec"]["retry"]["limit"] == 2
    records.write("nightly-r1", "Succeeded")
    assert "which has finished (Succeeded)" in podwright("restart", "nightly").stderr
    assert podwright.out("restart", "nightly-r1") == "batchjob.podwright.dev/nightly-r2 created\n"
    podwright.out("delete", "nightly-r1")
    assert "which is not there" in podwright("restart", "nightly").stderr
    assert podwright.out("restart", "nightly", "--again") == "batchjob.podwright.dev/nightly-r1 created\n"
    assert podwright.out("restart", "nightly", "--name", "u5") == "batchjob.podwright.dev/u5 created\n"


def test_a_taken_name_is_passed_over(podwright: Shell, jobs: Jobs, records: Records) -> None:
    jobs.submit("a")
    jobs.submit("a-r1")
    records.write("a", "Failed")
    assert podwright.out("restart", "a", "-o", "name") == "batchjob.podwright.dev/a-r2\n"
    assert podwright.out("restart", "a", "-o", "name") == "batchjob.podwright.dev/a-r2\n"


def test_retry_runs_what_did_not_succeed(podwright: Shell, jobs: Jobs, records: Records, job_of: Any) -> None:
    jobs.submit("many", array={"size": 10})
    records.write(
        "many", "Failed", array={"succeeded": 6, "failed": 2, "succeededIndexes": "0-3,8-9", "failedIndexes": "4-5"}
    )
    podwright.out("retry", "many")
    assert job_of("many-retry1")["spec"]["array"]["indexes"] == "4-7"
    jobs.submit("fine")
    records.write("fine", "Succeeded")
    assert "nothing to retry" in podwright("retry", "fine").stderr


def test_why_tells_what_a_job_waits_for(podwright: Shell, jobs: Jobs, records: Records, shard: str) -> None:
    jobs.submit("first")
    jobs.submit("second", dependsOn=[{"name": "first"}])
    assert f"no operator leads: there is no Lease {shard}" in podwright.out("why", "first")
    assert "second waits for the job first to succeed, which is Pending" in podwright.out("why", "second")
    records.write("first", "Failed", reason="RetriesExhausted", message="it broke")
    assert "(RetriesExhausted): it broke." in podwright.out("why", "first")


def test_delete_in_bulk(podwright: Shell, jobs: Jobs, records: Records) -> None:
    for name in ("old", "young", "running"):
        jobs.submit(name)
    records.write("old", "Succeeded", finishTime="2020-01-01T00:00:00Z")
    records.write("young", "Succeeded", finishTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    assert (
        podwright.out("delete", "--older-than", "7d", "--dry-run") == "batchjob.podwright.dev/old deleted (dry run)\n"
    )
    assert len(podwright.out("list", "-o", "name").split()) == 3
    assert podwright.out("delete", "--older-than", "7d", "--yes") == "batchjob.podwright.dev/old deleted\n"
    podwright.out("delete", "--phase", "Succeeded", "--yes")
    assert podwright.out("list", "-o", "name") == "batchjob.podwright.dev/running\n"
    podwright.out("delete", "running")
    assert podwright.out("list", "-o", "name") == ""


def test_without_rights_it_says_which(podwright: Shell, cluster: Any, api: Api, namespace: str, tmp_path: Any) -> None:
    kubeconfig = cluster.create_user_kubeconfig(service_account="default", namespace=namespace, path=tmp_path / "user")
    answer = podwright("list", "--kubeconfig", str(kubeconfig), "-n", namespace)
    assert answer.returncode == 1
    assert "cannot list resource" in answer.stderr
    assert "Ask for the role view" in answer.stderr


def test_without_the_kind_it_says_that_podwright_is_missing(podwright: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from podwright.cli.connection import Connection
    from podwright.cli.errors import CommandError
    from podwright.cli.job_client import JobClient
    from podwright.kube.paths import Resource

    client = JobClient(Connection.open(kubeconfig=str(podwright.kubeconfig), context=None), namespace="default")
    monkeypatch.setattr("podwright.cli.job_client.JOBS", Resource("/apis/podwright.dev/v0", "batchjobs"))
    with pytest.raises(CommandError, match="Podwright is not installed"):
        client.find("x")


@pytest.fixture
def typo(namespace: str) -> str:
    job = make_job(namespace=namespace, name="typo")
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["comand"] = ["echo"]
    return yaml.safe_dump(job)


def test_u9_a_typo_in_the_template_is_named_before_the_job_exists(podwright: Shell, typo: str) -> None:
    for command in (("submit", "-f", "-"), ("submit", "-f", "-", "--dry-run=server"), ("lint", "-", "--server")):
        answer = podwright(*command, stdin=typo)
        assert answer.returncode == 1
        assert "spec.template.spec.containers[0].comand: unknown field; did you mean command?" in (
            answer.stdout + answer.stderr
        )
    assert podwright.out("list", "-o", "name") == ""


def test_u9_what_only_the_server_knows_of_a_pod_is_named(podwright: Shell) -> None:
    answer = podwright("submit", "x", "--image", "busybox:1", "--cpu", "2", "--limit", "cpu=1")
    assert answer.returncode == 1
    assert "spec.template.spec.containers[0].resources.requests" in answer.stderr
    assert "less than or equal to cpu limit" in answer.stderr


def test_submit_makes_volumes_limits_and_the_rest(podwright: Shell, job_of: Any) -> None:
    podwright.out(
        *(
            "submit",
            "full",
            "--image",
            "busybox:1",
            "--limit",
            "memory=1Gi",
            "--env-from",
            "configmap/c",
            "--ttl",
            "1d",
        ),
        *("--volume", "pvc/d:/data:ro", "--node-selector", "a=b", "--annotation", "note=x", "--array", "9"),
        *("--max-failed-tasks", "5%", "--service-account", "default"),
    )
    spec = job_of("full")["spec"]
    assert spec["ttlSecondsAfterFinished"] == 86_400
    assert spec["array"]["maxFailedTasks"] == "5%"
    assert spec["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "d"}


def test_several_phases_newest_first_and_templates(podwright: Shell, jobs: Jobs, records: Records) -> None:
    for name, phase in (("a", "Failed"), ("b", "Running"), ("c", "Succeeded"), ("d", "")):
        jobs.submit(name)
        if phase:
            records.write(name, phase)
    names = "jsonpath={.items[*].metadata.name}"
    assert podwright.out("list", "--phase", "Failed,Running", "--sort-by", "name", "-o", names) == "a b\n"
    assert podwright.out("list", "--phase", "Pending", "-o", names) == "d\n"
    assert podwright.out("list", "--phase", "running", "-o", names) == "b\n"
    rows = podwright.out("list", "--no-headers", "--sort-by", "phase").splitlines()
    assert [row.split()[0] for row in rows] == ["a", "d", "b", "c"]
    assert podwright.out("get", "a", "-o", "jsonpath={.status.phase}") == "Failed\n"
    assert podwright("list", "-l", "no=thing").stderr.endswith(" match.\n")


def test_u24_who_may_not_list_everywhere_is_told_what_would_help(
    podwright: Shell, cluster: Any, namespace: str, tmp_path: Any
) -> None:
    kubeconfig = cluster.create_user_kubeconfig(service_account="default", namespace=namespace, path=tmp_path / "user")
    everywhere = podwright("list", "-A", "--kubeconfig", str(kubeconfig))
    assert "ClusterRoleBinding" in everywhere.stderr
    for verb in ("cancel", "delete"):
        assert "Ask for the role" in podwright(verb, "x", "--kubeconfig", str(kubeconfig), "-n", namespace).stderr


def test_l11_a_deeply_nested_job_ends_no_command(podwright: Shell, api: Api, jobs: Jobs, namespace: str) -> None:
    jobs.submit("other")
    job = make_job(namespace=namespace, name="deep")
    job["spec"]["template"]["spec"]["deep"] = {}
    text = json.dumps(job).replace('"deep": {}', '"deep": ' + '{"a":' * 3_000 + "1" + "}" * 3_000)
    path = f"/apis/podwright.dev/v1alpha1/namespaces/{namespace}/batchjobs"
    code, answer = api.connection.exchange("POST", path, text, {"Content-Type": "application/json"})
    assert code == 201, answer[:500]
    assert "cut off: nested too deeply" in podwright.out("list", "-o", "json")
    assert "other" in podwright.out("list", "-o", "yaml")
    assert podwright.out("cancel", "deep") == "batchjob.podwright.dev/deep cancelled\n"
    assert "nested too deeply to be copied" in podwright("restart", "deep", "--force").stderr
    assert podwright.out("delete", "deep") == "batchjob.podwright.dev/deep deleted\n"
