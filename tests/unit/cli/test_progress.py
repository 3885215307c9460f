from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from podwright.cli.progress import LiveReporter, show_progress
from podwright.devcluster.reporting import LineReporter


def live() -> tuple[LiveReporter, io.StringIO]:
    output = io.StringIO()
    console = Console(file=output, width=100, force_terminal=False)
    return LiveReporter(Progress("{task.description}", "{task.fields[detail]}", console=console)), output


def test_without_a_terminal_progress_is_plain_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as reporter:
        assert isinstance(reporter, LineReporter)
        reporter.step_started("building etcd", position=1, total=2)
        reporter.step_finished("building etcd", elapsed=61.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[1/2] building etcd" in captured.err
    assert "\x1b" not in captured.err


def test_a_finished_step_leaves_one_line() -> None:
    reporter, output = live()
    reporter.step_started("building etcd", position=1, total=2)
    reporter.step_progress("building etcd", elapsed=1.0, detail="42 packages")
    reporter.step_finished("building etcd", elapsed=61.0)
    assert output.getvalue() == "✓ building etcd: 61.0 s\n"


def test_a_running_step_shows_its_place_and_detail() -> None:
    reporter, output = live()
    reporter.step_started("building etcd", position=1, total=2)
    reporter.step_progress("building etcd", elapsed=1.0, detail="42 packages")
    console = reporter._display.console  # what is drawn can be seen nowhere else
    console.print(reporter._display.get_renderable())
    assert "[1/2] building etcd" in output.getvalue()
    assert "42 packages" in output.getvalue()


@pytest.mark.parametrize("text", ["[bold]not markup[/]", "[/unbalanced]", ""])
def test_text_is_never_taken_for_markup(text: str) -> None:
    reporter, output = live()
    reporter.note(text)
    assert output.getvalue() == f"{text}\n"


def test_progress_of_a_step_that_nobody_started_is_no_error() -> None:
    reporter, output = live()
    reporter.step_progress("unknown", elapsed=1.0, detail="")
    reporter.step_finished("unknown", elapsed=2.0)
    assert "unknown" in output.getvalue()
