from __future__ import annotations

import pytest

from podwright.cli.options import with_dry_run_value


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ([], []),
        (["a", "--dry-run"], ["a", "--dry-run=client"]),
        (["--dry-run", "a"], ["--dry-run=client", "a"]),
        (["--dry-run", "server", "a"], ["--dry-run=server", "a"]),
        (["--dry-run=server"], ["--dry-run=server"]),
        (["--dry-run", "--all"], ["--dry-run=client", "--all"]),
    ],
)
def test_a_dry_run_without_a_value_means_client(given: list[str], whole: list[str]) -> None:
    assert with_dry_run_value(given) == whole
