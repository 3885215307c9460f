from __future__ import annotations

from typing import Any

import pytest

from podwright.cli.jobs.leader import leader_of
from podwright.core.shard import shard_of

NOW = 1_795_000_100.0


def lease(number: int, holder: str = "op", renewed: str = "2026-11-18T11:08:20Z") -> dict[str, Any]:
    spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15}
    return {"metadata": {"name": f"podwright-shard-{number}"}, "spec": spec}


@pytest.mark.parametrize(
    ("leases", "holder", "problem"),
    [
        ([], "", "there is no Lease podwright-shard-0"),
        ([lease(0)], "op", ""),
        ([lease(0, holder="")], "", "nobody holds the Lease podwright-shard-0"),
        ([lease(0, renewed="2026-11-18T11:00:00Z")], "", "has not renewed it for 8m20s"),
        ([lease(0, renewed="2026-11-18T11:07:50Z")], "", "has not renewed it for 30s"),  # U23
        ([lease(0, renewed="2026-11-18T11:08:02Z")], "op", ""),
        ([lease(0, holder="a"), lease(1, holder="b"), {"metadata": {"name": "else"}}], "ab"[shard_of(namespace="n", shards=2)], ""),
    ],
)  # fmt: skip
def test_leader_of(leases: list[dict[str, Any]], holder: str, problem: str) -> None:
    found = leader_of(leases, namespace="n", system_namespace="s", now=NOW)
    assert found.holder == holder
    assert problem in found.problem
    assert bool(problem) == bool(found.problem)
