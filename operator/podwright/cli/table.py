"""Tables in the manner of kubectl: from rows of text, or from the API server's own `Table` answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from podwright.cli.printable import one_line

NOTHING: Final = "-"
NAMESPACE: Final = "NAMESPACE"
_GAP: Final = "   "

Row = tuple[str, ...]


def layout(headings: Sequence[str], rows: Sequence[Row], *, no_headers: bool = False) -> list[str]:
    """Return the lines of a table; columns are as wide as their widest cell."""
    widths = widths_of(headings, rows, no_headers=no_headers)
    shown = rows if no_headers else [tuple(headings), *rows]
    return [line(row, widths) for row in shown]


def widths_of(headings: Sequence[str], rows: Sequence[Row], *, no_headers: bool = False) -> list[int]:
    """Measure the columns."""
    return [
        max([0 if no_headers else len(heading), *(len(row[column]) for row in rows)])
        for column, heading in enumerate(headings)
    ]


def line(row: Row, widths: Sequence[int]) -> str:
    """Return one line. Cells that are too long push the rest, so that nothing is cut off."""
    return _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def headings_of(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the columns that the API server offers, in capitals."""
    return tuple(one_line(column.get("name", "")).upper() for column in table.get("columnDefinitions") or ())


def rows_of(table: Mapping[str, Any], *, offered: Sequence[str], wanted: Sequence[str]) -> list[Row]:
    """Return the rows of a `Table` with the wanted columns; `NAMESPACE` is of the row's object, not one of the table's.

    Args:
        table: the answer, or an event of a watch.
        offered: the columns of the answer. The events of a watch leave them out, except for the first.
        wanted: the columns to show. One that isn't offered stays empty.
    """
    return [
        row_of(metadata=metadata_of(row), cells=row.get("cells") or (), offered=offered, wanted=wanted)
        for row in table.get("rows") or ()
    ]


def row_of(*, metadata: Mapping[str, Any], cells: Sequence[Any], offered: Sequence[str], wanted: Sequence[str]) -> Row:
    """Return one row with the wanted columns; see `rows_of`."""
    return tuple(
        one_line(metadata.get("namespace") or NOTHING)
        if name == NAMESPACE
        else _cell(cells, offered.index(name) if name in offered else -1)
        for name in wanted
    )


def metadata_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of a row's object."""
    found = (row.get("object") or {}).get("metadata") or {}
    return found if isinstance(found, Mapping) else {}


def _cell(cells: Sequence[Any], position: int) -> str:
    if not 0 <= position < len(cells) or cells[position] is None:
        return NOTHING
    return one_line(cells[position]) or NOTHING
