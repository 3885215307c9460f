"""What status records of an array: sets of tasks, and groups of units (tasks or packs) that were tried alike.

Times are seconds since the Unix epoch.
"""

import msgspec

from podwright.core.values.index_set import EMPTY, IndexSet


class RetryGroup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.retries[]`, `.taskFailures[]`: tasks (or packs) that are not done and were tried alike.

    `due` is when their next attempt may start, None for at once.
    """

    indexes: IndexSet
    attempts: int
    failed: int = 0
    platform: int = 0
    timeouts: int = 0
    out_of_memory: int = 0
    lost_nodes: int = 0
    due: float | None = None


class EndingGroup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.ending[]`: units whose current attempt we end, and go on with the job; on record before any pod is deleted for it."""

    indexes: IndexSet
    reason: str
    message: str = ""


class FailureOnNode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array.nodeFailures[]`: attempts failed so on this node."""

    node: str
    reason: str
    exit_code: int | None = None


class ArrayRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`status.array`. What is in none of its sets has not ended an attempt.

    `running_unlisted` is how many tasks run where they are too many ranges to be listed in `running`. `skipped` are tasks that are not to run, since what they wait for ended otherwise; `given_up` is how many of `failed` never ran
    for that reason, `not_retried` how many were not to be tried again whatever retries were left, or had none. The units in `started` matter under AtMostOnce only. `never_started` says that
    attempts have ended, and that no node had started the pod of any. `lost_nodes` and `node_failures` are kept while they
    may tell against the job (`core.array.suspicion`).
    """

    succeeded: IndexSet = EMPTY
    failed: IndexSet = EMPTY
    skipped: IndexSet = EMPTY
    running: IndexSet = EMPTY
    running_unlisted: int = 0
    started: IndexSet = EMPTY
    retries: tuple[RetryGroup, ...] = ()
    task_failures: tuple[RetryGroup, ...] = ()
    given_up: int = 0
    not_retried: int = 0
    never_started: bool = False
    lost_nodes: tuple[str, ...] = ()
    node_failures: tuple[FailureOnNode, ...] = ()
    ending: tuple[EndingGroup, ...] = ()

    @property
    def any_ended(self) -> bool:
        """Return whether an attempt has ended. Tasks that were given up had none."""
        return bool(self.succeeded or self.retries) or len(self.failed) > self.given_up

    @property
    def tried(self) -> IndexSet:
        """Return the units that have ended an attempt and aren't done."""
        return IndexSet.of_ranges(span for group in self.retries for span in group.indexes.ranges)
