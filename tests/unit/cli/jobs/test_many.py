"""Verbs over several jobs: one that fails holds up no other, and what was done is told whatever comes after."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from podwright.cli.errors import CommandError
from podwright.cli.jobs.edits import Edit, apply_to
from podwright.cli.options import DryRun, Format, Manner, Selection
from tests.support.simulator.errors import forbidden, internal
from tests.support.simulator.manifests import JOBS, job
from tests.unit.cli.program import PODWRIGHT, run
from tests.unit.cli.simulated import SimulatedCluster, lost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.simulator.admission import Request

SUSPEND = Edit(verb="suspend", spec={"suspend": True}, done="suspended", needs_unfinished=True)
AT_ONCE = {"rate": "60000/s", "manner": Manner()}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SimulatedCluster]:
    with SimulatedCluster(tmp_path).running() as started:
        yield started


def submit_all(cluster: SimulatedCluster, *names: str) -> None:
    for name in names:
        cluster.client().connection.request("POST", JOBS, body=job(name))


def refuse_creating(name: str, error: Exception) -> Any:
    def rule(request: Request) -> None:
        if request.name == name:
            raise error

    return rule


def test_submit_creates_the_others_and_prints_them(cluster: SimulatedCluster, tmp_path: Path) -> None:
    cluster.rule = refuse_creating("b", forbidden("batchjobs", "b", "exceeded quota", group="podwright.dev"))
    file = tmp_path / "jobs.yaml"
    file.write_text(yaml.safe_dump_all([job("a"), job("b"), job("c")]))
    answer = run("submit", "-f", str(file), "-o", "json", "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 1
    assert "exceeded quota" in answer.stderr
    assert [each["metadata"]["name"] for each in json.loads(answer.stdout)["items"]] == ["a", "c"]


def test_submit_says_when_it_cannot_know_whether_a_job_was_created(cluster: SimulatedCluster) -> None:
    cluster.rule = refuse_creating("a", internal("etcdserver: request timed out"))
    answer = run("submit", "a", "--image", "x", "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 1
    assert "It is not known whether the job a was created" in answer.stderr


def test_an_edit_whose_answer_is_lost_ends_the_verb_and_leaves_what_was_done_told(
    cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    submit_all(cluster, "a", "b", "c")
    cluster.finished_job("over")
    client = cluster.breaking(1, done=False, problem=lost(sent=True))
    with pytest.raises(CommandError) as error:
        apply_to(
            client,
            ["over", "a", "b", "c"],
            SUSPEND,
            Selection(),
            rate="60000/s",
            manner=Manner(output=Format.JSON),
        )
    assert "over has already finished" in error.value.problem
    assert "The line is dead" in error.value.problem
    assert json.loads(capsys.readouterr().out)["metadata"]["name"] == "a"


def test_a_dry_run_shows_the_job_as_it_would_be(cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]) -> None:
    submit_all(cluster, "a")
    for mode in (DryRun.CLIENT, DryRun.SERVER):
        manner = Manner(dry_run=mode, output=Format.JSON)
        apply_to(cluster.client(), ["a"], SUSPEND, Selection(), rate="60000/s", manner=manner)
        assert json.loads(capsys.readouterr().out)["spec"]["suspend"] is True
    assert "suspend" not in cluster.client().read("a")["spec"]


def test_a_job_that_was_replaced_since_it_was_read_is_left_alone(
    cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_all(cluster, "a")
    client = cluster.client()
    old = client.read("a")
    cluster.delete("a")
    submit_all(cluster, "a")
    monkeypatch.setattr(client, "read", lambda name: old)
    with pytest.raises(CommandError, match="a is not there any more"):
        apply_to(client, ["a"], SUSPEND, Selection(), **AT_ONCE)  # type: ignore[arg-type]
    assert "suspend" not in cluster.client().read("a")["spec"]


def test_a_job_that_finished_since_it_was_read_is_not_said_to_be_suspended(
    cluster: SimulatedCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = cluster.finished_job("a", "Succeeded")
    client = cluster.client()
    monkeypatch.setattr(client, "read", lambda name: {**old, "status": {}})
    with pytest.raises(CommandError, match=r"has already finished \(Succeeded\)"):
        apply_to(client, ["a"], SUSPEND, Selection(), **AT_ONCE)  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""


def test_cancel_and_wait_says_first_what_goes_on(cluster: SimulatedCluster) -> None:
    submit_all(cluster, "a")
    answer = run("cancel", "a", "--wait", "--timeout", "1s", "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 124  # nobody ends it here
    assert answer.stdout == "batchjob.podwright.dev/a being cancelled\n"
    assert answer.stderr == "Not finished after 1s: a (Pending).\n"


def test_restart_of_several_goes_on_after_one_that_can_not_be(cluster: SimulatedCluster) -> None:
    submit_all(cluster, "runs")
    cluster.finished_job("over")
    answer = run("restart", "runs", "over", "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 1
    assert answer.stdout == "batchjob.podwright.dev/over-r1 created\n"
    assert "runs has not finished" in answer.stderr


def test_news_do_not_get_between_objects(cluster: SimulatedCluster) -> None:
    command = [str(PODWRIGHT), "submit", "a", "--image", "x", "--wait", "-o", "json"]
    with subprocess.Popen([*command, "--kubeconfig", str(cluster.kubeconfig)], stdout=subprocess.PIPE) as process:
        while "a" not in cluster.names():
            assert process.poll() is None
        cluster.finish("a", "Succeeded")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["metadata"]["name"] == "a"
