from __future__ import annotations

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs.listing import with_pending, with_phases
from podwright.cli.jobs.order import in_order
from tests.unit.cli.jobs.objects import make_job

JOBS = [
    make_job("b", phase="Running", priority=5, meta={"creationTimestamp": "2026-01-02T00:00:00Z"}),
    make_job("c", priority=-1, meta={"creationTimestamp": "2026-01-03T00:00:00Z"}),
    make_job("a", phase="Failed", priority=30, meta={"creationTimestamp": "2026-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(
    ("sort_by", "names"),
    [
        ("age", "cba"),
        ("created", "abc"),
        ("name", "abc"),
        ("phase", "abc"),
        ("priority", "cba"),
        ("{.spec.priority}", "cba"),
        (".metadata.name", "abc"),
    ],
)
def test_orders(sort_by: str, names: str) -> None:
    assert "".join(job["metadata"]["name"] for job in in_order(JOBS, sort_by)) == names


def test_an_order_that_there_is_not() -> None:
    with pytest.raises(CommandError, match="--sort-by 'size' is not known"):
        in_order(JOBS, "size")


@pytest.mark.parametrize(
    ("phases", "selected"),
    [("", "x=y"), ("failed", "x=y,status.phase=Failed")],
)
def test_one_phase(phases: str, selected: str) -> None:
    assert with_phases("x=y", phases) == selected


def test_several_phases_exclude_all_others() -> None:
    selected = with_phases("", "Running,failed").split(",")
    assert "status.phase!=Succeeded" in selected
    assert "status.phase!=" in selected
    assert not {"status.phase!=Running", "status.phase!=Failed"} & set(selected)


def test_u12_a_job_without_a_phase_counts_as_pending() -> None:
    assert "status.phase!=" not in with_phases("", "Pending").split(",")
    assert with_pending([("a", "-"), ("b", "Running")], ("NAME", "PHASE")) == [("a", "Pending"), ("b", "Running")]
