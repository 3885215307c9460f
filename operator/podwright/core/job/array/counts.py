"""A task's or pack's history in the record, as the counts that `core.job.retry` works on, and back."""

from podwright.core.attempt.retry import Counts
from podwright.core.model.array import RetryGroup
from podwright.core.values.index_set import EMPTY


def counts_of(history: RetryGroup) -> Counts:
    """Return the counts of what was tried before."""
    return Counts(
        attempts=history.attempts,
        failed=history.failed,
        platform=history.platform,
        timeouts=history.timeouts,
        out_of_memory=history.out_of_memory,
        lost_nodes=history.lost_nodes,
    )


def history_of(counts: Counts, *, due: float | None) -> RetryGroup:
    """Return what the record says of a unit with these counts, as a group that has no members yet."""
    return RetryGroup(
        indexes=EMPTY,
        attempts=counts.attempts,
        failed=counts.failed,
        platform=counts.platform,
        timeouts=counts.timeouts,
        out_of_memory=counts.out_of_memory,
        lost_nodes=counts.lost_nodes,
        due=due,
    )
