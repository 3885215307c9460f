"""Tables as data, and two ways to write them: for a terminal, and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.result import Measure


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; all columns but the first are aligned right in a terminal."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text: str = ""
    """What the reader must know of it."""


def cell(measured: Measure | None, unit: str) -> str:
    """A metric with its extremes, if it has been measured."""
    if measured is None:
        return "-"
    if measured.low == measured.high:
        return f"{number(measured.median)}{unit}"
    return f"{number(measured.median)}{unit} ({number(measured.low)} to {number(measured.high)})"


def number(value: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(tables: Sequence[Table], *, level: int = 2) -> str:
    """The tables as Markdown, a heading for each."""
    parts: list[str] = []
    for table in tables:
        parts.append(f"{'#' * level} {table.title}\n")
        if table.text:
            parts.append(f"{table.text}\n")
        lines = [table.columns, ["---"] + ["---:"] * (len(table.columns) - 1), *table.rows]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")
    return "\n".join(parts)


def show(tables: Sequence[Table]) -> None:
    """Print the tables with colours to a terminal, else as Markdown."""
    import sys

    if not sys.stdout.isatty():
        print(markdown(tables))
        return
    from rich.console import Console
    from rich.table import Table as RichTable

    console = Console()
    for table in tables:
        drawn = RichTable(title=table.title, title_justify="left", caption=table.text or None, caption_justify="left")
        for index, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if index else "left")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
