"""A copy is created once, wherever a command dies and whatever has become of the copy when it is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs.copies import Origin
from podwright.cli.jobs.create_copy import create_copy, judge_copy
from podwright.cli.jobs.restart import restart, retry
from podwright.cli.jobs.wish import Wish
from podwright.cli.options import DryRun, Manner, Place
from podwright.core.constants.names import ORIGINS
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import ApiError, forbidden, internal
from tests.support.simulator.kinds import BATCH_JOB
from tests.unit.cli.simulated import Died, SimulatedCluster, lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from podwright.cli.job_client import JobClient

RESTART = Wish(origin=Origin.RESTART, verb="restart")
ONCE_MORE = Wish(origin=Origin.RESTART, verb="restart", again=True)
ASKED = "was to be run again as report-r1, which is not there"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SimulatedCluster]:
    with SimulatedCluster(tmp_path).running() as started:
        started.finished_job("report")
        started.created.clear()
        yield started


def ask(client: JobClient, wish: Wish = RESTART, name: str = "report") -> tuple[str, bool]:
    copy, new = create_copy(client, client.read(name), wish, tasks=None)
    return copy["metadata"]["name"], new


def test_a_copy_that_is_there_is_found(cluster: SimulatedCluster) -> None:
    assert ask(cluster.client()) == ("report-r1", True)
    assert ask(cluster.client()) == ("report-r1", False)
    assert cluster.annotations("report") == {"restarted-as": "report-r1"}
    assert cluster.annotations("report-r1").keys() == {"restart-of", "copy-of"}


def test_a_copy_that_has_gone_is_created_again_only_if_wanted(cluster: SimulatedCluster) -> None:
    ask(cluster.client())
    cluster.delete("report-r1")
    with pytest.raises(CommandError, match=ASKED) as error:
        ask(cluster.client())
    assert "podwright restart report --again" in str(error.value)
    assert ask(cluster.client(), ONCE_MORE) == ("report-r1", True)
    assert cluster.created == ["report-r1", "report-r1"]


@pytest.mark.parametrize("gone", [False, True], ids=["copy stays", "copy goes"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", [0, 1], ids=["mark", "create"])
def test_dying_never_makes_two(cluster: SimulatedCluster, write: int, done: bool, gone: bool) -> None:
    with pytest.raises(Died):
        ask(cluster.breaking(write, done=done))
    created = write == 1 and done
    if created and gone:
        cluster.delete("report-r1")
    if write == 0 and not done:
        assert ask(cluster.client()) == ("report-r1", True)
    elif created and not gone:
        assert ask(cluster.client()) == ("report-r1", False)
    else:
        with pytest.raises(CommandError, match=ASKED):
            ask(cluster.client())
        assert len(cluster.created) == created
        assert ask(cluster.client(), ONCE_MORE) == ("report-r1", True)


@pytest.mark.parametrize("meanwhile", ["copy stays", "copy goes"])
def test_who_read_the_job_before_another_marked_it_makes_no_second_copy(
    cluster: SimulatedCluster, meanwhile: str
) -> None:
    slow = cluster.client()
    job = slow.read("report")
    ask(cluster.client())
    if meanwhile == "copy stays":
        copy, new = create_copy(slow, job, RESTART, tasks=None)
        assert (copy["metadata"]["name"], new) == ("report-r1", False)
    else:
        cluster.delete("report-r1")
        with pytest.raises(CommandError, match=ASKED):
            create_copy(slow, job, RESTART, tasks=None)
    assert cluster.created == ["report-r1"]


def test_a_job_that_changed_for_another_reason_is_copied(cluster: SimulatedCluster) -> None:
    slow = cluster.client()
    job = slow.read("report")
    cluster.client().patch(job, {"metadata": {"labels": {"team": "x"}}})
    copy, new = create_copy(slow, job, RESTART, tasks=None)
    assert new
    assert copy["metadata"]["labels"]["team"] == "x"


def test_a_job_that_was_replaced_is_not_copied(cluster: SimulatedCluster) -> None:
    client = cluster.client()
    job = client.read("report")
    cluster.delete("report")
    cluster.finished_job("report")
    with pytest.raises(CommandError, match="is not there any more"):
        create_copy(client, job, RESTART, tasks=None)
    assert cluster.names() == ["report"]


def refuse(operation: Operation, error: ApiError) -> Callable[[Request], None]:
    def rule(request: Request) -> None:
        if request.kind is BATCH_JOB and request.operation is operation:
            raise error

    return rule


NO_QUOTA = forbidden("batchjobs", "report-r1", "exceeded quota", group="podwright.dev")


@pytest.mark.parametrize(
    ("error", "stays"),
    [(NO_QUOTA, False), (internal("etcdserver: request timed out"), True)],
    ids=["refused", "unknown"],
)
def test_the_mark_is_taken_back_if_surely_nothing_was_created(
    cluster: SimulatedCluster, error: ApiError, stays: bool
) -> None:
    cluster.rule = refuse(Operation.CREATE, error)
    with pytest.raises(CommandError, match="not known whether report-r1 was created" if stays else "exceeded quota"):
        ask(cluster.client())
    assert ("restarted-as" in cluster.annotations("report")) is stays


def test_the_mark_of_a_copy_that_may_have_run_stays(cluster: SimulatedCluster) -> None:
    ask(cluster.client())
    cluster.delete("report-r1")
    cluster.rule = refuse(Operation.CREATE, NO_QUOTA)
    with pytest.raises(CommandError, match="exceeded quota"):
        ask(cluster.client(), ONCE_MORE)
    assert cluster.annotations("report") == {"restarted-as": "report-r1"}


@pytest.mark.parametrize("sent", [False, True])
def test_the_mark_stays_if_the_answer_was_lost(cluster: SimulatedCluster, sent: bool) -> None:
    with pytest.raises(CommandError, match="not known whether report-r1 was created" if sent else "line is dead"):
        ask(cluster.breaking(1, done=sent, problem=lost(sent=sent)))
    assert ("restarted-as" in cluster.annotations("report")) is sent
    assert ask(cluster.client()) == ("report-r1", not sent)


def test_a_mark_whose_answer_was_lost_is_told(cluster: SimulatedCluster) -> None:
    with pytest.raises(CommandError, match="Nothing was created") as error:
        ask(cluster.breaking(0, done=True, problem=lost(sent=True)))
    assert "--again" in str(error.value)
    assert cluster.created == []


def test_a_taken_name_is_passed_over_and_the_mark_follows(cluster: SimulatedCluster) -> None:
    cluster.finished_job("report-r1")
    assert ask(cluster.client()) == ("report-r2", True)
    assert cluster.annotations("report") == {"restarted-as": "report-r2"}
    cluster.finished_job("other")
    with pytest.raises(CommandError, match="already a job report-r1"):
        ask(cluster.client(), Wish(origin=Origin.RESTART, verb="restart", name="report-r1"), "other")
    assert cluster.annotations("other") == {}


def test_judging_marks_nothing(cluster: SimulatedCluster) -> None:
    client = cluster.client()
    assert judge_copy(client, client.read("report"), RESTART, tasks=None)["metadata"]["name"] == "report-r1"
    assert cluster.annotations("report") == {}
    assert cluster.names() == ["report"]


def test_who_may_not_mark_is_told_what_is_missing(cluster: SimulatedCluster) -> None:
    words = 'User "u" cannot patch resource "batchjobs" in API group "podwright.dev" in the namespace "default"'
    cluster.rule = refuse(Operation.UPDATE, forbidden("batchjobs", "report", words, group="podwright.dev"))
    with pytest.raises(CommandError, match="cannot patch resource") as error:
        ask(cluster.client())
    assert "takes the rights to create and to patch batchjobs" in error.value.remedy
    assert cluster.created == []


@pytest.mark.parametrize(("verb", "copy"), [(restart, "report-r1"), (retry, "report-retry1")])
def test_the_commands_ask_and_obey(
    cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str], verb: Any, copy: str
) -> None:
    def told(mode: DryRun = DryRun.NONE, *, again: bool = False) -> str:
        place = Place(kubeconfig=str(cluster.kubeconfig))
        verb(names=["report"], again=again, manner=Manner(dry_run=mode), place=place)
        return capsys.readouterr().out

    assert told(DryRun.CLIENT) == f"batchjob.podwright.dev/{copy} created (dry run)\n"
    assert told(DryRun.SERVER) == f"batchjob.podwright.dev/{copy} created (server dry run)\n"
    assert cluster.annotations("report") == {}
    assert told() == f"batchjob.podwright.dev/{copy} created\n"
    cluster.delete(copy)
    for mode in DryRun:
        with pytest.raises(CommandError, match=f"podwright {verb.__name__} report --again"):
            told(mode)
    assert told(again=True) == f"batchjob.podwright.dev/{copy} created\n"
    # A restart does everything once more, a retry goes on with the work.
    assert ("work-of" in cluster.annotations(copy)) is (verb is retry)


class Commands:
    """The two commands on the simulator; each returns the line that it printed."""

    def __init__(self, cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]) -> None:
        self._cluster = cluster
        self._capsys = capsys

    def restart(self, job: str, **options: Any) -> str:
        return self._run(restart, job, options)

    def retry(self, job: str, **options: Any) -> str:
        return self._run(retry, job, options)

    def _run(self, verb: Any, job: str, options: dict[str, Any]) -> str:
        place = Place(kubeconfig=str(self._cluster.kubeconfig))
        verb(names=[job], manner=Manner(), place=place, **options)
        return self._capsys.readouterr().out.removeprefix("batchjob.podwright.dev/").strip()


@pytest.fixture
def commands(cluster: SimulatedCluster, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(cluster, capsys)


def test_u5_each_name_is_another_restart_and_runs(cluster: SimulatedCluster, commands: Commands) -> None:
    assert commands.restart("report", name="again1") == "again1 created"
    assert commands.restart("report", name="again2") == "again2 created"
    assert commands.restart("report") == "report-r1 created"
    assert commands.restart("report", name="again1") == "again1 unchanged"  # it still runs
    assert cluster.annotations("report") == {"restarted-as": "again1,again2,report-r1"}


def test_u5_a_restart_that_has_finished_is_no_success(cluster: SimulatedCluster, commands: Commands) -> None:
    commands.restart("report", name="again1")
    cluster.finish("again1", "Succeeded")
    with pytest.raises(CommandError, match=r"already restarted as again1, which has finished \(Succeeded\)") as error:
        commands.restart("report", name="again1")
    assert "podwright restart report --name again1 --again" in str(error.value)
    commands.restart("report")
    cluster.finish("report-r1", "Cancelled")
    with pytest.raises(CommandError, match="Nothing was created"):
        commands.restart("report")
    assert commands.restart("report", again=True) == "report-r2 created"
    assert commands.restart("report", again=True) == "report-r2 unchanged"


def test_u6_a_restart_after_a_retry_runs_the_whole_array(cluster: SimulatedCluster, commands: Commands) -> None:
    cluster.finished_array("arr", size=4, succeeded="0-2")
    assert commands.retry("arr") == "arr-retry1 created"
    assert cluster.client().read("arr-retry1")["spec"]["array"]["indexes"] == "3"
    assert commands.restart("arr") == "arr-r1 created"
    copy = cluster.client().read("arr-r1")
    assert "indexes" not in copy["spec"]["array"]
    assert "work-of" not in cluster.annotations("arr-r1")


def test_u7_a_retry_after_a_failed_retry_goes_on_with_the_work(cluster: SimulatedCluster, commands: Commands) -> None:
    uid = cluster.finished_array("arr", size=4, succeeded="0-1")["metadata"]["uid"]
    commands.retry("arr")
    assert commands.retry("arr") == "arr-retry1 unchanged"
    with pytest.raises(CommandError, match="already being retried, as arr-retry1"):
        commands.retry("arr", name="other")
    cluster.finish("arr-retry1", "Cancelled", array={"succeededIndexes": "2"})
    assert commands.retry("arr") == "arr-retry2 created"
    assert cluster.client().read("arr-retry2")["spec"]["array"]["indexes"] == "3"
    assert cluster.annotations("arr-retry2")["work-of"] == uid
    cluster.finish("arr-retry2", "Succeeded", array={"succeededIndexes": "3"})
    with pytest.raises(CommandError, match="in its retry arr-retry2: there is nothing to retry"):
        commands.retry("arr")


def test_u7_two_who_retry_a_failed_retry_at_once_make_one(cluster: SimulatedCluster, commands: Commands) -> None:
    commands.retry("report")
    cluster.finish("report-retry1", "Cancelled")
    slow = cluster.client()
    read = slow.read("report-retry1")
    commands.retry("report")
    copy, new = create_copy(slow, read, Wish(origin=Origin.RETRY, verb="retry"), tasks=None)
    assert (copy["metadata"]["name"], new) == ("report-retry2", False)


def test_an_operator_lets_a_retry_use_the_key_of_its_origin() -> None:
    assert Origin.RETRY in ORIGINS
    assert set(Origin) == set(ORIGINS)
