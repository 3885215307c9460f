from __future__ import annotations

import pytest

from podwright.cli.jobs.listing import columns
from podwright.cli.table import headings_of, layout, rows_of

ANSWER = {
    "columnDefinitions": [{"name": "Name"}, {"name": "Phase"}, {"name": "Start"}, {"name": "Reason"}],
    "rows": [
        {"cells": ["a", "Running", None, "x\x1b[2Jy"], "object": {"metadata": {"namespace": "n", "uid": "u"}}},
        {"cells": ["b", None]},
    ],
}


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert layout(("A", "LONG"), [("long cell", "x"), ("y", "z")]) == [
        "A           LONG",
        "long cell   x",
        "y           z",
    ]


def test_without_headings_they_take_no_room() -> None:
    assert layout(("HEADING", "B"), [("x", "y")], no_headers=True) == ["x   y"]


def test_the_wanted_columns_of_an_answer() -> None:
    offered = headings_of(ANSWER)
    assert offered == ("NAME", "PHASE", "START", "REASON")
    wanted = ("NAMESPACE", "NAME", "REASON", "UNKNOWN")
    assert rows_of(ANSWER, offered=offered, wanted=wanted) == [("n", "a", "xy", "-"), ("-", "b", "-", "-")]


@pytest.mark.parametrize(
    ("wide", "everywhere", "chosen"),
    [
        (False, False, ("NAME", "PHASE", "REASON")),
        (True, False, ("NAME", "PHASE", "START", "REASON")),
        (False, True, ("NAMESPACE", "NAME", "PHASE", "REASON")),
    ],
)
def test_which_columns_are_shown(wide: bool, everywhere: bool, chosen: tuple[str, ...]) -> None:
    assert columns(headings_of(ANSWER), wide=wide, everywhere=everywhere) == chosen
