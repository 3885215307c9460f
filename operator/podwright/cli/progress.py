"""Shows what `podwright.devcluster` is doing: a live display on a terminal, plain lines anywhere else.

Used by the commands that start a cluster. Everything goes to standard error, so that standard output holds results only.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from podwright.devcluster.reporting import LineReporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

    from podwright.devcluster.reporting import Reporter


@contextlib.contextmanager
def show_progress() -> Iterator[Reporter]:
    """A reporter for the time of the block."""
    if not sys.stderr.isatty():
        yield LineReporter(sys.stderr)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    detail = TextColumn("{task.fields[detail]}", style="dim", markup=False)
    with Progress(*columns, detail, console=Console(stderr=True), transient=True) as display:
        yield LiveReporter(display)


class LiveReporter:
    """Keeps a line with a spinner per running step; a finished step scrolls away as a plain line."""

    def __init__(self, display: Progress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}

    def step_started(self, step: str, *, position: int, total: int) -> None:
        """Show the step with its place among the others, if there are others."""
        place = f"[{position}/{total}] " if total > 1 else ""
        self._tasks[step] = self._display.add_task(f"{place}{step}", total=None, detail="")

    def step_progress(self, step: str, *, elapsed: float, detail: str) -> None:
        """Show the detail; the display counts the seconds by itself."""
        del elapsed
        if (task := self._tasks.get(step)) is not None:
            self._display.update(task, detail=detail)

    def step_finished(self, step: str, *, elapsed: float) -> None:
        """Replace the step's spinner by a line that stays."""
        if (task := self._tasks.pop(step, None)) is not None:
            self._display.remove_task(task)
        self._print(f"✓ {step}: {elapsed:.1f} s")

    def note(self, message: str) -> None:
        """Print the note above the running steps."""
        self._print(message)

    def _print(self, line: str) -> None:
        self._display.console.print(line, markup=False, highlight=False, soft_wrap=True)
