"""Who leads, by the Leases of the shards. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from podwright.cli.jobs.sentence import Leader
from podwright.cli.printable import one_line
from podwright.cli.times import seconds_of, span
from podwright.core.constants.names import lease_name
from podwright.core.shard import shard_of

_CLOCKS_DIFFER: Final = 5.0
"""Seconds for which a Lease that looks expired is still believed: the API server's clock is not its holder's."""


def leader_of(leases: Sequence[Mapping[str, Any]], *, namespace: str, system_namespace: str, now: float) -> Leader:
    """Return the leader of the shard that a namespace belongs to; `now` is the API server's clock.

    The number of shards is that of the Leases in a row from shard 0.
    """
    by_name = {str(lease["metadata"]["name"]): lease.get("spec") or {} for lease in leases}
    shards = 0
    while lease_name(shards) in by_name:
        shards += 1
    if not shards:
        return Leader(problem=f"no operator leads: there is no Lease {lease_name(0)} in namespace {system_namespace}")
    name = lease_name(shard_of(namespace=namespace, shards=shards))
    spec = by_name[name]
    holder = one_line(spec.get("holderIdentity") or "")
    where = f"the Lease {name} in namespace {system_namespace}"
    if not holder:
        return Leader(problem=f"no operator leads: nobody holds {where}")
    renewed = seconds_of(spec.get("renewTime"))
    silent = 0.0 if renewed is None else now - renewed
    if silent > float(spec.get("leaseDurationSeconds") or 15) + _CLOCKS_DIFFER:
        return Leader(problem=f"no operator leads: {holder} holds {where} but has not renewed it for {span(silent)}")
    return Leader(holder=holder)
