"""The runner of packs, with real processes in each of the shells that it promises to work in."""

from __future__ import annotations

import os
import signal
import stat
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.values.index_set import EMPTY, IndexSet
from tests.unit.core.job.pack.shells import SHELLS, Pack, busybox_program, eventually, script_of, shell

if TYPE_CHECKING:
    from collections.abc import Callable

PARALLEL = pytest.mark.parametrize("parallelism", [1, 3])


@pytest.fixture(params=list(SHELLS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Pack]:
    return partial(Pack, tmp_path, shell(request.param))


def indexes(text: str) -> IndexSet:
    return IndexSet.parse(text)


@PARALLEL
def test_all_succeed(run: Callable[..., Pack], parallelism: int) -> None:
    pack = run(script_of('echo "ran $PODWRIGHT_TASK_INDEX"'), tasks="0-4,7,1000000", parallelism=parallelism)
    assert pack.end() == 0
    assert pack.message == "podwright pack: started 7; succeeded 0-4,7,1000000.\n"
    assert pack.lines() == sorted(f"ran {index}" for index in pack.tasks)
    assert "[podwright] task 7 started\n" in pack.log
    assert "[podwright] task 7 exit 0 after " in pack.log


@PARALLEL
def test_exit_codes_are_told_by_task(run: Callable[..., Pack], parallelism: int) -> None:
    script = (
        "case $PODWRIGHT_TASK_INDEX in 3|5|6) exit 7 ;; 4) exit 255 ;; 8) kill -KILL $$ ;; 9) kill -TERM $$ ;; esac"
    )
    pack = run(script_of(script), tasks="0-10", parallelism=parallelism)
    assert pack.end() == 1
    assert pack.report.succeeded == indexes("0-2,7,10")
    assert pack.report.failed == {7: indexes("3,5-6"), 255: indexes("4"), 137: indexes("8"), 143: indexes("9")}
    assert "[podwright] task 4 exit 255 after " in pack.log


def test_commands_that_cannot_be_run(run: Callable[..., Pack]) -> None:
    pack = run(["no-such-program"], tasks="0-1")
    assert pack.end() == 1
    assert pack.report.failed == {127: indexes("0-1")}
    (pack.directory / "text").write_text("no program")
    assert run(["./text"], tasks="0-1").end() == 1


def test_a_command_is_a_program_not_a_word_of_the_shell(run: Callable[..., Pack]) -> None:
    for word in ("exit", "return", ":", "_pw_compose"):
        pack = run([word, "0"], tasks="0-1")
        assert (pack.end(), pack.report.failed) == (1, {127: indexes("0-1")})


def test_the_environment_of_a_task(run: Callable[..., Pack]) -> None:
    script = 'echo "$PODWRIGHT_TASK_INDEX $PODWRIGHT_IDEMPOTENCY_KEY ${PODWRIGHT_TASK_ITEM-none} $OWN"; env | grep _pw_'
    own = [{"name": "OWN", "value": "$(DIR)/$(PODWRIGHT_TASK_INDEX)"}, {"name": "PODWRIGHT_TASK_INDEX", "value": "9"}]
    pack = run(script_of(script), tasks="4-5", container={"env": own})
    pack.end()
    assert pack.lines() == [f"{n} job-uid/{n} none {pack.directory}/{n}" for n in (4, 5)]


def test_tasks_that_go_on_with_former_work_are_told_its_key(run: Callable[..., Pack]) -> None:
    pack = run(script_of('echo "$PODWRIGHT_IDEMPOTENCY_KEY $PODWRIGHT_JOB_UID"'), tasks="3,12", work="first-1")
    assert pack.end() == 0
    assert pack.lines() == ["first-1/12 job-uid", "first-1/3 job-uid"]


def test_references_are_replaced_by_the_kubelet_and_those_to_the_task_by_the_runner(run: Callable[..., Pack]) -> None:
    arguments = [
        "--in=$(DIR)/$(PODWRIGHT_TASK_INDEX)-$(PODWRIGHT_TASK_INDEX).txt",
        "$(NESTED)",
        "$$(PODWRIGHT_TASK_INDEX)",
        "$(UNKNOWN) $$ $x $(",
        "$(PODWRIGHT_IDEMPOTENCY_KEY)",
        "",
    ]
    own = [
        {"name": "QUOTES", "value": 'it\'s "$x" `id`'},
        {"name": "NESTED", "value": "$(QUOTES):$(PODWRIGHT_TASK_INDEX)"},
    ]
    pack = run(["printf", "<%s>"], tasks="6", container={"args": arguments, "env": own})
    assert pack.end() == 0
    assert (
        f'<--in={pack.directory}/6-6.txt><it\'s "$x" `id`:6><$(PODWRIGHT_TASK_INDEX)><$(UNKNOWN) $ $x $(><job-uid/6><>'
        in pack.log
    )


AWKWARD = (
    "plain", "two  words ", " 'single' \"double\" `id` $(id) $HOME $$ \\n \\", "line\nline\n", "-n", "--", "ü→日本😀", "*",
    "", "a;b|c&d>e", "%s%n", "$(DIR)", "$(PODWRIGHT_TASK_INDEX)",
)  # fmt: skip


@PARALLEL
def test_items_arrive_as_they_are(run: Callable[..., Pack], parallelism: int) -> None:
    script = 'printf %s "$PODWRIGHT_TASK_ITEM" >"$PODWRIGHT_TASK_INDEX.item"; printf %s "$1" >"$PODWRIGHT_TASK_INDEX.argument"'
    pack = run(
        [*script_of(script), "name", "$(PODWRIGHT_TASK_ITEM)"],
        tasks=f"0-{len(AWKWARD) - 1}",
        items=AWKWARD,
        parallelism=parallelism,
    )
    assert pack.end() == 0, pack.log
    for index, item in enumerate(AWKWARD):
        assert (pack.directory / f"{index}.item").read_text() == item
        assert (pack.directory / f"{index}.argument").read_text() == item


def test_only_the_items_of_the_tasks_are_used(run: Callable[..., Pack]) -> None:
    pack = run(script_of('echo "$PODWRIGHT_TASK_ITEM"'), tasks="1,3-4", items=tuple("abcdef"))
    assert (pack.end(), pack.lines()) == (0, ["b", "d", "e"])


@PARALLEL
def test_an_environment_cannot_disturb_the_runner(run: Callable[..., Pack], parallelism: int) -> None:
    hostile = {"_pw_stop": "told", "_pw_x0": "0-9", "IFS": "0", "_pw_index": "5", "PS4": "$(id)", "ENV": "/nonexistent"}
    pack = run(script_of("exit $PODWRIGHT_TASK_INDEX"), tasks="0-2", environment=hostile, parallelism=parallelism)
    assert pack.end() == 1
    assert (pack.report.succeeded, pack.report.failed) == (indexes("0"), {1: indexes("1"), 2: indexes("2")})


@PARALLEL
def test_a_stopped_pack_tells_what_is_done_and_what_was_never_started(
    run: Callable[..., Pack], parallelism: int
) -> None:
    script = 'case $PODWRIGHT_TASK_INDEX in 0|1|2) ;; 4) exit 3 ;; 3) trap "exit 0" TERM; touch ready; sleep 60 & wait ;; esac'
    pack = run(script_of(script), tasks="0-3,5-8" if parallelism == 1 else "0-3", parallelism=parallelism)
    eventually((pack.directory / "ready").exists)
    eventually(lambda: "succeeded 0-2" in pack.message)
    begun = time.monotonic()
    pack.stop()
    assert pack.end() == 1
    assert time.monotonic() - begun < 3.0
    assert pack.report.succeeded == indexes("0-2")  # task 3 said 0, but after it was told to stop
    assert (pack.report.failed, pack.report.timed_out) == ({}, EMPTY)
    assert pack.report.unstarted == indexes("5-8" if parallelism == 1 else "")
    assert "[podwright] task 3 stopped" in pack.log


def test_a_stop_at_any_moment_ends_the_pack(run: Callable[..., Pack]) -> None:
    for delay in range(20):
        pack = run(["true"], tasks="0-3", parallelism=2)
        time.sleep(delay * 0.003)
        pack.stop()
        # Before the shell has got to its traps, the signal ends it as it would any program that isn't a container's first.
        assert pack.end(seconds=5) in (0, 1, -signal.SIGTERM)
        ended = pack.report.succeeded
        assert not ended & pack.report.unstarted
        pack.file.write_text("")


def test_what_a_task_started_is_stopped_with_it(run: Callable[..., Pack]) -> None:
    pack = run(script_of("(sleep 61; :) & touch ready; sleep 62; :"), tasks="0")
    eventually((pack.directory / "ready").exists)
    group = pack.process.pid
    pack.stop()
    assert pack.end() == 1
    eventually(lambda: not members(group), seconds=3)


def test_a_task_that_takes_too_long_gets_sigterm(run: Callable[..., Pack]) -> None:
    script = '[ "$PODWRIGHT_TASK_INDEX" = 1 ] || exit 0; trap "echo term; exit 0" TERM; sleep 60 & wait'
    pack = run(script_of(script), tasks="0-2", limit=1)
    begun = time.monotonic()
    assert pack.end() == 1
    assert 1.0 < time.monotonic() - begun < 5.0
    assert (pack.report.succeeded, pack.report.timed_out, pack.report.failed) == (indexes("0,2"), indexes("1"), {})
    assert pack.lines() == ["term"]
    assert "[podwright] task 1 timed out after " in pack.log


@PARALLEL
def test_a_task_that_ignores_sigterm_is_killed_with_all_it_started(run: Callable[..., Pack], parallelism: int) -> None:
    script = '[ "$PODWRIGHT_TASK_INDEX" = 1 ] || exit 0; trap "" TERM; sleep 61 & sleep 62; sleep 63'
    pack = run(script_of(script), tasks="0-2", limit=1, parallelism=parallelism)
    group = pack.process.pid
    assert pack.end() == 1
    assert (pack.report.succeeded, pack.report.timed_out) == (indexes("0,2"), indexes("1"))
    eventually(lambda: not members(group), seconds=3)


def test_limits_are_of_each_task(run: Callable[..., Pack]) -> None:
    pack = run(["sleep", "0.8"], tasks="0-2", limit=2)  # together they take longer
    assert (pack.end(), pack.report.timed_out) == (0, EMPTY)


def test_tasks_run_side_by_side_and_a_slow_one_holds_up_no_other(run: Callable[..., Pack]) -> None:
    pack = run(script_of('[ "$PODWRIGHT_TASK_INDEX" != 0 ] || sleep 5'), tasks="0-40", parallelism=2)
    eventually(lambda: pack.report.succeeded == indexes("1-40"), seconds=4.9)
    assert (pack.end(), pack.report.succeeded) == (0, indexes("0-40"))


def test_a_task_reads_nothing_and_may_close_everything(run: Callable[..., Pack]) -> None:
    pack = run(script_of("cat; exec 0<&- 1>&- 2>&-; exit 4"), tasks="0-2")
    assert (pack.end(), pack.report.failed) == (1, {4: indexes("0-2")})


@PARALLEL
def test_a_task_holds_none_of_the_runners_files(run: Callable[..., Pack], parallelism: int) -> None:
    script = 'for fd in 3 4 5 6 7 8 9; do echo "0 1 0" 2>/dev/null >&$fd; done; echo $(ls /proc/self/fd); exit 5'
    pack = run(script_of(script), tasks="0-5", parallelism=parallelism)
    assert (pack.end(), pack.report.failed) == (1, {5: indexes("0-5")})
    assert all(line.split() == ["0", "1", "2", "3"] for line in pack.log.splitlines() if line[0] == "0")


def test_a_background_child_holds_nothing_up(run: Callable[..., Pack]) -> None:
    pack = run(script_of("sleep 5 & :"), tasks="0-1")
    begun = time.monotonic()
    assert pack.end() == 0
    assert time.monotonic() - begun < 3.0
    os.killpg(pack.process.pid, signal.SIGKILL)


def test_a_task_that_signals_its_group_stops_the_pack_like_anyone_who_does(run: Callable[..., Pack]) -> None:
    pack = run(script_of('[ "$PODWRIGHT_TASK_INDEX" -lt 2 ] || kill -TERM 0'), tasks="0-5")
    assert pack.end() == 1
    assert pack.report.succeeded == indexes("0-1")
    # The task's own end, 143, may be told before the signal has come through.
    assert not pack.report.unstarted & indexes("0-2")
    assert not pack.report.timed_out


@PARALLEL
def test_a_task_that_kills_its_group_leaves_a_true_report(run: Callable[..., Pack], parallelism: int) -> None:
    pack = run(script_of('[ "$PODWRIGHT_TASK_INDEX" -lt 3 ] || kill -KILL 0'), tasks="0-9", parallelism=parallelism)
    assert pack.end() == -signal.SIGKILL  # in a container, the first process survives that, and exits 1
    assert not pack.report.succeeded - indexes("0-2")
    assert not pack.report.unstarted & indexes("0-3")


@PARALLEL
def test_a_task_that_kills_its_worker_counts_as_killed(run: Callable[..., Pack], parallelism: int) -> None:
    script = '[ "$PODWRIGHT_TASK_INDEX" != 2 ] || kill -KILL $PPID'
    pack = run(script_of(script), tasks="0-9", parallelism=parallelism)
    assert pack.end() == 1
    assert (pack.report.succeeded, pack.report.failed) == (indexes("0-1,3-9"), {137: indexes("2")})


def test_a_killed_container_has_told_what_was_done(run: Callable[..., Pack]) -> None:
    pack = run(script_of("[ $PODWRIGHT_TASK_INDEX != 5 ] || { touch ready; sleep 60; }"), tasks="0-9")
    eventually((pack.directory / "ready").exists)
    os.killpg(pack.process.pid, signal.SIGKILL)
    pack.end()
    assert (pack.report.succeeded, pack.report.unstarted) == (indexes("0-4"), indexes("6-9"))


def test_what_tasks_write_in_the_termination_message_does_not_last(run: Callable[..., Pack]) -> None:
    script = 'yes "podwright pack: succeeded 0-9." | head -c 9000 >termination-log; exit 2'
    pack = run(script_of(script), tasks="0-9")
    assert (pack.end(), pack.message) == (1, "podwright pack: started 10; exit 2: 0-9.\n")


@pytest.mark.parametrize("containers", [1, 20])
def test_a_report_that_is_full_ends_the_pack_before_it_says_too_little(
    run: Callable[..., Pack], containers: int
) -> None:
    script = "exit $((PODWRIGHT_TASK_INDEX % 2))"
    pack = run([busybox_program(), *script_of(script)], tasks="1000000-1009999", containers=containers, parallelism=2)
    assert pack.end() == 1
    report = pack.report
    assert len(pack.message) <= 12288 // max(containers, 3)
    ran = IndexSet.of(int(line.split()[2]) for line in pack.log.splitlines() if " exit " in line)
    assert len(ran) > 50
    assert report.succeeded == IndexSet.of(index for index in ran if index % 2 == 0)
    assert report.failed == {1: IndexSet.of(index for index in ran if index % 2)}
    assert report.unstarted == pack.tasks - ran


def test_the_message_file_may_be_all_that_can_be_written(run: Callable[..., Pack]) -> None:
    pack = run(["true"], tasks="0-3")
    pack.file.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IWOTH)
    assert pack.end() == 0
    assert sorted(path.name for path in pack.directory.iterdir()) == ["log", "termination-log"]


def test_the_heartbeat_is_touched_and_a_stall_is_told(run: Callable[..., Pack], tmp_path: Path) -> None:
    beat = tmp_path / "heartbeat"
    environment = {"PODWRIGHT_HEARTBEAT_FILE": str(beat)}
    pack = run(script_of("[ $PODWRIGHT_TASK_INDEX = 0 ] || sleep 60"), tasks="0-2", environment=environment)
    eventually(lambda: beat.exists() and "started 2" in pack.message)
    beat.with_name("heartbeat.stalled").write_text("podwright: no progress for 60s\n")
    pack.stop()
    assert pack.end() == 1
    assert pack.message == "podwright pack: started 2; succeeded 0; no progress.\n"
    assert pack.report.stalled


def members(group: int) -> list[Any]:
    """Processes of a group that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            found.append(path.parent.name)
    return found
