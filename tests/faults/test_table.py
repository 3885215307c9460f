"""The table of faults in this package's docstring speaks of tests that exist, and of every fault."""

import re
from pathlib import Path

import tests.faults

_REPOSITORY = Path(__file__).parents[2]


def test_every_fault_has_its_tests_or_is_told_to_have_none() -> None:
    told = tests.faults.__doc__ or ""
    rows = [line.split("|")[1:-1] for line in told.splitlines() if line.startswith("| F")]
    provoked = {fault for row in rows for fault in row[0].split()}
    named = {path for row in rows for path in row[2].split()}
    assert all(row[2].split() for row in rows)
    assert [path for path in sorted(named) if not (_REPOSITORY / path).is_file()] == []
    others = set(re.findall(r"F\d+", told[told.index("Not provoked") :]))
    assert provoked | others == {f"F{number}" for number in range(1, 33)}
    assert not provoked & others
