"""The right to act on a shard, as the engine sees it. Leadership grants it; a simulation may grant it by hand."""

from typing import Protocol

import msgspec


class LeaderTerm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One uninterrupted holding of a shard's Lease.

    `epoch` goes into every pod. `baseline` is the version of the job collection when the term began: a job that has not
    changed since may have been acted on by the former holder without our cache knowing yet.
    """

    shard: int
    epoch: int
    baseline: int


class LeaderTerms(Protocol):
    """Who holds which shard right now."""

    @property
    def shards(self) -> int:
        """Return the number of shards."""
        ...

    def term(self, shard: int) -> LeaderTerm | None:
        """Return the term of a shard if it is ours at this very moment, judged by the monotonic clock."""
        ...
