"""What the engine must remember about a job between two looks, beyond what the objects themselves say.

All of it may be lost in a crash: it only delays or re-asks, it never permits anything. These are the expectations of the
protocol's "read your own writes": an answered write goes into the store at once, an unanswered or contradicted one leaves a
doubt here, and no decision is made on a job in doubt.
"""

import msgspec

from podwright.core.view import Refusal


class Notes(msgspec.Struct, kw_only=True):
    """About one job.

    Attributes:
        outstanding: writes and reads under way; no decision is made before they are answered.
        doubtful: the job itself must be read from the API server before the next decision.
        doubtful_pods: names of pods that must be read first.
        creation_until: when a pod creation of unknown outcome can no longer take effect (Unix seconds).
        refusal: the last refusal of a pod.
        confirmed_epoch: the epoch in which the job's state was last read from the API server itself.
        asked_for_pod_epoch: the epoch in which the API server itself was last asked for a first pod that the cache lacks.
        key_doubtful: the Lease of its idempotency key must be read before it can be claimed.
        key_held: the job is known to hold its idempotency key.
        deferred_since: since when a deferrable write has been put off (Unix seconds).
    """

    outstanding: int = 0
    doubtful: bool = False
    doubtful_pods: set[str] = msgspec.field(default_factory=set)
    creation_until: float = 0.0
    refusal: Refusal | None = None
    confirmed_epoch: int = -1
    asked_for_pod_epoch: int = -1
    key_doubtful: bool = False
    key_held: bool = False
    deferred_since: float | None = None

    @property
    def in_doubt(self) -> bool:
        """Tell whether something must be read before the next decision."""
        return self.doubtful or bool(self.doubtful_pods)


class Notebook:
    """The notes of all jobs that have any."""

    def __init__(self) -> None:
        self._notes: dict[str, Notes] = {}

    def of(self, uid: str) -> Notes:
        """Give the job's notes, empty ones if there were none."""
        notes = self._notes.get(uid)
        if notes is None:
            notes = self._notes[uid] = Notes()
        return notes

    def drop(self, uid: str) -> None:
        """Forget a job's notes unless an answer about it is still to come."""
        notes = self._notes.get(uid)
        if notes is not None and not notes.outstanding:
            del self._notes[uid]

    def __len__(self) -> int:
        """Give how many jobs have notes."""
        return len(self._notes)
