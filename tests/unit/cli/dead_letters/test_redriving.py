from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.dead_letters.redriving import Redrive, loop_guard, merged, read_patch, redrive_all
from podwright.cli.errors import CommandError
from podwright.cli.jobs.copies import Origin
from podwright.cli.jobs.create_copy import create_copy
from podwright.cli.jobs.restart import restart, retry
from podwright.cli.jobs.wish import Wish
from podwright.cli.options import DryRun, Manner, Place
from tests.unit.cli.jobs.objects import make_job
from tests.unit.cli.simulated import Died, SimulatedCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [  # the examples of RFC 7396, appendix A, that are objects
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, {"b": {"c": None}}, {"a": "foo", "b": {}}),
        (["a"], {"b": 1}, {"b": 1}),
    ],
)
def test_merged(value: Any, patch: Any, result: Any) -> None:
    assert merged(value, patch) == result


def test_a_patch_comes_from_the_command_line_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "patch.json"
    file.write_text('{"priority": 1}')
    assert read_patch("") is None
    assert read_patch('{"priority": 1}') == read_patch(f"@{file}") == {"priority": 1}


@pytest.mark.parametrize("text", ["{", "[]", "1", "@/missing", '{"spec": {"priority": 1}}'])
def test_what_is_no_patch(text: str) -> None:
    with pytest.raises(CommandError, match="--patch"):
        read_patch(text)


@pytest.mark.parametrize(
    ("count", "force", "held"), [("", False, False), ("4", False, False), ("5", False, True), ("9", True, False)]
)
def test_loop_guard(count: str, force: bool, held: bool) -> None:
    job = make_job(meta={"annotations": {"podwright.dev/redrive-count": count}})
    assert bool(loop_guard(job, force=force)) is held


@pytest.mark.parametrize(
    ("recorded", "tasks"),
    [
        ({"succeededIndexes": "0-1", "failedIndexes": "2", "skippedIndexes": "3-4"}, "2"),
        ({"succeededIndexes": "0-1", "skippedIndexes": "2-4"}, "2-4"),
    ],
)
def test_what_succeeded_does_not_run_again(recorded: dict[str, str], tasks: str) -> None:
    plan = Redrive(patch=None, all_tasks=False, force=False, again=False, gap=0)
    assert str(plan.tasks(make_job(array={"size": 5}, status={"array": recorded}))) == tasks


class Redriving:
    """`dlq redrive` and `retry` on the simulator; each returns what it printed."""

    def __init__(self, cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        self.cluster = cluster
        self._capsys = capsys

    def redrive(self, name: str, *, again: bool = False, dry_run: DryRun = DryRun.NONE) -> str:
        client = self.cluster.client()
        redrive_all(client, [client.read(name)], plan(again=again), manner=Manner(dry_run=dry_run))
        return self._output()

    def retry(self, name: str, *, again: bool = False) -> str:
        retry(names=[name], again=again, manner=Manner(), place=Place(kubeconfig=str(self.cluster.kubeconfig)))
        return self._output()

    def _output(self) -> str:
        return self._capsys.readouterr().out.removeprefix("batchjob.podwright.dev/").strip()

    def tokens(self, name: str) -> int:
        return int(self.cluster.annotations(name)["tokens-before"])

    def end(self, name: str, phase: str = "DeadLettered", *, attempts: int = 4) -> None:
        self.cluster.finish(name, phase, attemptCount=attempts)


def plan(*, again: bool = False) -> Redrive:
    return Redrive(patch=None, all_tasks=False, force=False, again=again, gap=0)


@pytest.fixture
def dead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Redriving]:
    with SimulatedCluster(tmp_path).running() as cluster:
        cluster.finished_job("dead", "DeadLettered")
        made = Redriving(cluster, capsys)
        made.end("dead")
        yield made


@pytest.mark.parametrize("again", [False, True], ids=["at first", "--again"])
@pytest.mark.parametrize(
    ("phase", "problem", "remedy"),
    [
        pytest.param("", "which has not finished", "podwright wait dead-retry1", id="the retry runs"),
        pytest.param("Succeeded", "nothing left to do", "podwright restart dead", id="the retry succeeded"),
        pytest.param("Cancelled", r"has finished \(Cancelled\)", "podwright retry dead-retry1", id="the retry ended"),
        pytest.param(
            "DeadLettered", r"finished \(DeadL", "podwright dlq redrive dead-retry1", id="the retry is a dead letter"
        ),
    ],
)
def test_no_redrive_beside_a_retry_of_the_same_work(
    dead: Redriving, phase: str, problem: str, remedy: str, again: bool
) -> None:
    dead.retry("dead")
    if phase:
        dead.end("dead-retry1", phase)
    for mode in DryRun:
        with pytest.raises(CommandError, match=problem) as error:
            dead.redrive("dead", again=again, dry_run=mode)
        assert "was already retried as dead-retry1" in str(error.value)
        assert remedy in str(error.value)
    assert sorted(dead.cluster.names()) == ["dead", "dead-retry1"]
    assert "redriven-as" not in dead.cluster.annotations("dead")


def test_no_redrive_beside_what_became_of_a_retry(dead: Redriving) -> None:
    dead.retry("dead")
    dead.end("dead-retry1")
    assert dead.redrive("dead-retry1") == "dead-retry1-r1 created, in place of dead-retry1"
    with pytest.raises(CommandError, match="was already run again as dead-retry1-r1, which has not finished"):
        dead.redrive("dead", again=True)
    assert dead.retry("dead") == "dead-retry1-r1 unchanged"
    dead.end("dead-retry1-r1", "Cancelled")
    assert dead.retry("dead") == "dead-retry1-r1-retry1 created"
    assert [dead.tokens(name) for name in ("dead-retry1-r1", "dead-retry1-r1-retry1")] == [10, 15]


@pytest.mark.parametrize("first", ["retry", "redrive"])
def test_of_two_who_retry_and_redrive_at_once_one_is_refused(dead: Redriving, first: str) -> None:
    wishes = {"retry": Wish(origin=Origin.RETRY, verb="retry"), "redrive": plan().wish}
    slow = dead.cluster.client()
    read = slow.read("dead")
    quick = dead.cluster.client()
    copy, _ = create_copy(quick, quick.read("dead"), wishes.pop(first), tasks=None)
    late = next(iter(wishes.values()))
    with pytest.raises(CommandError, match=f"as {copy['metadata']['name']}, which has not finished"):
        create_copy(slow, read, late, tasks=None)
    assert sorted(dead.cluster.names()) == ["dead", copy["metadata"]["name"]]


def test_who_comes_between_the_mark_and_the_creation_of_another_asks(dead: Redriving) -> None:
    with pytest.raises(Died):
        create_copy(
            dead.cluster.breaking(0, done=True),
            dead.cluster.client().read("dead"),
            Wish(origin=Origin.RETRY, verb="retry"),
            tasks=None,
        )
    with pytest.raises(CommandError, match="was to be run again as dead-retry1, which is not there"):
        dead.redrive("dead")
    assert dead.cluster.names() == ["dead"]
    assert dead.redrive("dead", again=True) == "dead-r1 created, in place of dead"


def test_tokens_are_beyond_those_of_jobs_that_are_gone(dead: Redriving) -> None:
    used = []
    for step in range(3):
        dead.retry("dead", again=step > 0)
        name = next(each for each in dead.cluster.names() if each != "dead")
        used.append(dead.tokens(name))
        dead.end(name, "Succeeded", attempts=1)
        dead.cluster.delete(name)
        if step == 0:
            assert used == [5]
        else:
            # What the job that is gone did isn't known: the seconds since 2026 are more than any chain has used.
            assert used[-1] > 28_000_000
    dead.redrive("dead", again=True)
    assert dead.tokens("dead-r1") >= used[-1] > used[0]


def test_the_dry_run_names_the_job_that_would_be_created(dead: Redriving) -> None:
    restart(names=["dead"], manner=Manner(), place=Place(kubeconfig=str(dead.cluster.kubeconfig)))
    dead._output()
    dead.end("dead-r1")
    for mode in (DryRun.CLIENT, DryRun.SERVER):
        assert dead.redrive("dead-r1", dry_run=mode).startswith("dead-r2 created, in place of dead-r1 (")
        assert dead.redrive("dead", dry_run=mode).startswith("dead-r2 created, in place of dead (")
    assert dead.redrive("dead-r1") == "dead-r2 created, in place of dead-r1"
