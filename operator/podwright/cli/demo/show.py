"""Draws the jobs: a table that changes in place on a terminal, a line for each change anywhere else.

Everything here is a result, so it goes to standard output; how the cluster comes up goes to standard error.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final, Protocol

from podwright.cli.printable import one_line
from podwright.cli.table import layout, widths_of
from podwright.core.model.phase import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.live import Live
    from rich.table import Table

    from podwright.cli.demo.jobs import Job

_HEADINGS: Final = ("NAME", "PHASE", "PROGRESS", "ATTEMPTS", "EXIT CODES", "TIME", "REASON")
_PHASE: Final = _HEADINGS.index("PHASE")
_EXPENDABLE: Final = ("EXIT CODES", "PROGRESS")
"""Columns that a narrow terminal does without, the first one first."""
_GAP: Final = 2
_LEAST_MESSAGE: Final = 20
_STYLES: Final[Mapping[str, str]] = {
    Phase.SUCCEEDED: "green",
    Phase.FAILED: "red",
    Phase.DEAD_LETTERED: "red",
    Phase.CANCELLED: "magenta",
    Phase.RUNNING: "cyan",
    Phase.RETRYING: "yellow",
    Phase.STOPPING: "yellow",
}


class View(Protocol):
    """Where the jobs are shown while they run."""

    def show(self, jobs: Mapping[str, Job], *, changed: Job | None) -> None:
        """Show the jobs as they are now; `changed` is the one that is new or different."""


@contextlib.contextmanager
def show_jobs() -> Iterator[View]:
    """A view for the time of the block."""
    if not sys.stdout.isatty():
        yield LineView()
        return
    from rich.console import Console
    from rich.live import Live

    # Transient: the final table is printed plainly afterwards, to be copied and kept.
    with Live(console=Console(), auto_refresh=False, transient=True) as live:
        yield TableView(live)


class LineView:
    """Prints a line when something about a job changes that a person would want to know."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown: dict[str, tuple[object, ...]] = {}

    def show(self, jobs: Mapping[str, Job], *, changed: Job | None) -> None:
        """Print the changed job, unless it only changed in what isn't shown."""
        del jobs
        if changed is None or not changed.phase:
            return
        facts = (changed.phase, len(changed.outcomes), changed.reason)
        if self._shown.get(changed.name) == facts:
            return
        self._shown[changed.name] = facts
        told = f"{changed.name} is {changed.phase}: {one_line(changed.message)}"
        print(f"{time.monotonic() - self._began:6.1f} s  {told}", flush=True)


class TableView:
    """Draws the table anew, in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, jobs: Mapping[str, Job], *, changed: Job | None) -> None:
        """Draw the table with the present time."""
        del changed
        self._live.update(_rich_table(list(jobs.values()), width=self._live.console.width), refresh=True)


def _rich_table(jobs: Sequence[Job], *, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    now = time.time()
    rows = [_cells(job, now=now) for job in jobs]
    widths = widths_of(_HEADINGS, rows)
    shown = _columns_shown(widths, room=width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in shown:
        table.add_column(_HEADINGS[column], no_wrap=True, min_width=widths[column])
    # Rich narrows the columns that may wrap, so this must be the only one; its cells don't wrap either.
    table.add_column("MESSAGE")
    for job, row in zip(jobs, rows, strict=True):
        cells = [Text(row[column], style=_STYLES.get(job.phase, "") if column == _PHASE else "") for column in shown]
        table.add_row(*cells, Text(one_line(job.message), style="dim", no_wrap=True, overflow="ellipsis"))
    return table


def _columns_shown(widths: Sequence[int], *, room: int) -> list[int]:
    """Choose the columns that leave room for a message that says something; the table at the end has all of them."""
    shown = list(range(len(_HEADINGS)))
    for heading in _EXPENDABLE:
        if sum(widths[column] + _GAP for column in shown) + _LEAST_MESSAGE <= room:
            break
        shown.remove(_HEADINGS.index(heading))
    return shown


def plain_table(jobs: Sequence[Job], *, now: float) -> str:
    """Return the table as aligned text, in the manner of kubectl."""
    return "\n".join(layout(_HEADINGS, [_cells(job, now=now) for job in jobs]))


def _cells(job: Job, *, now: float) -> tuple[str, ...]:
    codes = ",".join("-" if code is None else str(code) for code in job.exit_codes)
    return (
        job.name,
        job.phase or "-",
        job.progress or "-",
        str(len(job.outcomes)),
        codes or "-",
        f"{job.seconds(now=now):.0f}s",
        one_line(job.reason) or "-",
    )
