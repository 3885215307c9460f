from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from podwright.cli.demo.jobs import Job
from podwright.cli.demo.show import LineView, TableView, plain_table

if TYPE_CHECKING:
    import pytest

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


def test_a_narrow_terminal_cuts_the_message_and_nothing_else() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        TableView(live).show({job.name: job for job in (WAITING, RUNNING)}, changed=None)
    drawn = screen.getvalue()
    for text in ("a-job-with-a-long-name", "PodRunning", "EXIT CODES", "3,-"):
        assert text in drawn
    assert "pod p runs on node n" not in drawn


def test_u27_a_dead_letter_has_the_colour_of_a_failure() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system="standard")
    with Live(console=console, auto_refresh=False) as live:
        dead = Job(name="dead", created=0.0, phase="DeadLettered", finished=1.0)
        TableView(live).show({"dead": dead}, changed=None)
    assert "\x1b[31mDeadLettered" in screen.getvalue()
