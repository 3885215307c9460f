from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podwright.cli.errors import CommandError
from podwright.cli.jobs.manifest import jobs_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: podwright.dev/v1alpha1\nkind: BatchJob\nmetadata: {name: a"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
        ("2026-11-22", "2026-11-22"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("10", 10),
        ("-1_000", -1000),
        ("0x1F", 31),
        ("017", 15),
        ("089", "089"),
        ("0", 0),
        ("1.5", 1.5),
        ("true", True),
        ("500m", "500m"),
    ],
)
def test_values_are_read_as_kubectl_reads_them(tmp_path: Path, written: str, value: Any) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"{HEAD}}}\nspec: {{startAt: {written}}}\n")
    (job,) = jobs_of([str(file)], namespace="n", explicit=False)
    assert job["spec"] == {"startAt": value}
    assert type(job["spec"]["startAt"]) is type(value)


def test_a_namespace_that_is_a_number_is_told(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"{HEAD}, namespace: 123}}\n")
    with pytest.raises(CommandError, match="is not a string"):
        jobs_of([str(file)], namespace="n", explicit=False)
