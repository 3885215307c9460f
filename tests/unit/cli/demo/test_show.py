from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.live import Live

from podwright.cli.demo.jobs import Job
from podwright.cli.demo.show import LineView, TableView, plain_table

WAITING = Job(name="waiting", created=100.0)
RUNNING = Job(
    name="a-job-with-a-long-name",
    created=90.0,
    phase="Running",
    progress="0/1",
    reason="PodRunning",
    message="pod p runs on node n",
    outcomes=("Failed", ""),
    exit_codes=(3, None),
)


def test_the_plain_table_is_aligned() -> None:
    assert plain_table([WAITING, RUNNING], now=104.4).splitlines() == [
        "NAME                     PHASE     PROGRESS   ATTEMPTS   EXIT CODES   TIME   REASON",
        "waiting                  -         -          0          -            4s     -",
        "a-job-with-a-long-name   Running   0/1        2          3,-          14s    PodRunning",
    ]


def test_the_table_of_no_jobs_has_headings() -> None:
    assert plain_table([], now=0.0).startswith("NAME   PHASE")


def test_lines_are_printed_for_news_only(capsys: pytest.CaptureFixture[str]) -> None:
    view = LineView()
    for changed in (WAITING, None, RUNNING, RUNNING):
        view.show({}, changed=changed)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" s  a-job-with-a-long-name is Running: pod p runs on node n")


DEAD = Job(
    name="timeout",
    created=90.0,
    phase="DeadLettered",
    progress="0/1",
    reason="RetriesExhausted",
    message="attempt 1 failed (AttemptTimeout); retry limit 1 reached; last line of its message: it took far too long to end",
    finished=99.0,
    outcomes=("Failed", "Failed"),
    exit_codes=(None, None),
)


@pytest.mark.parametrize(("width", "left_out"), [(80, ("EXIT CODES", "PROGRESS")), (120, ()), (160, ())], ids=str)
def test_a_dead_letter_leaves_every_other_column_whole(width: int, left_out: tuple[str, ...]) -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=width, height=40, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        cancelled = Job(name="cancelled", created=90.0, phase="Cancelled", finished=99.0, reason="Immediate")
        TableView(live).show({"timeout": DEAD, "cancelled": cancelled}, changed=None)
    drawn = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", screen.getvalue()).splitlines()
    heading = next(line.rstrip() for line in drawn if line.startswith("NAME"))
    line = next(line.rstrip() for line in drawn if line.startswith("timeout"))
    every = ["NAME", "PHASE", "PROGRESS", "ATTEMPTS", "EXIT CODES", "TIME", "REASON", "MESSAGE"]
    assert re.split(r"  +", heading.strip()) == [each for each in every if each not in left_out]
    for cell in ("timeout", "DeadLettered", "2", "9s", "RetriesExhausted", "attempt 1 failed (A"):
        assert cell in line
    assert ("-,-" in line) == (not left_out)
    assert line.endswith("…")
    assert len(line) <= width


def test_u27_a_dead_letter_has_the_colour_of_a_failure() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system="standard")
    with Live(console=console, auto_refresh=False) as live:
        dead = Job(name="dead", created=0.0, phase="DeadLettered", finished=1.0)
        TableView(live).show({"dead": dead}, changed=None)
    assert "\x1b[31mDeadLettered" in screen.getvalue()
