"""What this process must remember about a BatchJob between two reconciles, beyond what is expected of objects of any kind."""

from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.core.attempt.rulings import Rulings
from podwright.core.job.oversize import Oversize
from podwright.core.model.attempt import Refusal
from podwright.core.model.units import Units
from podwright.store.expectations import ChildState, Expectations


class Intents(msgspec.Struct, kw_only=True):
    """Which units of an array this process meant to start, on record, and has surely not asked for yet (`deliveryMode: AtMostOnce`).

    Lost in a crash, which forbids: whoever finds an intent on record that is not here must take it for a pod that may have run.
    They are the units, and the epoch in which they were recorded: nobody else writes in our epoch.

    `added` and `withdrawn` are what the last status write changed about them, for the case that it is refused. An object has one
    status write under way at most.
    """

    epoch: int = -1
    units: set[int] = msgspec.field(default_factory=set)
    added: set[int] = msgspec.field(default_factory=set)
    withdrawn: set[int] = msgspec.field(default_factory=set)

    def own(self, epoch: int) -> frozenset[int]:
        """Return the units that may be asked for in this epoch."""
        return frozenset(self.units) if epoch == self.epoch else frozenset()

    def write(self, *, added: Iterable[int], withdrawn: Iterable[int], epoch: int) -> None:
        """Record a status write that is on its way; whether it arrives, the record will tell."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.units.clear()
        self.withdrawn = self.units.intersection(withdrawn)
        self.added = set(added)
        self.units -= self.withdrawn
        self.units |= self.added

    def asked(self, unit: int) -> None:
        """Record that the unit's pod is being asked for."""
        self.units.discard(unit)
        self.withdrawn.discard(unit)

    def not_created(self, unit: int) -> None:
        """Record that the pod was surely not created."""
        self.units.add(unit)

    def not_written(self) -> None:
        """Record that the last status write surely did not arrive: what it withdrew is still on record, and not asked for."""
        self.units |= self.withdrawn
        self.withdrawn = set()

    def refused(self) -> None:
        """Record that the last status write was refused: if what it added is on record, then by somebody else.

        All others are there by our own former writes.
        """
        self.not_written()
        self.units -= self.added
        self.added = set()


class JobExpectations(Expectations, kw_only=True):
    """About one job.

    Attributes:
        refusal: the last refusal of a pod.
        recalled: its status was asked whether pods of it were refused, or this process asked for a pod.
        asked_for_pod_epoch: the epoch in which the API server itself was last asked for a first pod that the cache lacks.
        key_doubtful: the Lease of its idempotency key must be read before it can be claimed.
        key_held: the job is known to hold its idempotency key.
        written_at: when the job's status was last written (Unix seconds).
        reconcile_after: an array is not reconciled again before (Unix seconds).
        invalid_status: the API server found the last status invalid; the next one leaves out what programs wrote.
        intents: of an array under AtMostOnce, what it meant to start and has not asked for.
        units: of an array, its record as it was last arranged.
        rulings: what was found out about its ended and waiting pods.
        intent_epoch: the epoch in which this process last asked to record an intent (`core.job.at_most_once`).
        intent_version: the job's resourceVersion that this was asked for on.
        repair_after: by uid, pods that lack labels of ours, and when they may be patched again (Unix seconds).
        oversize: what is known of a status that did not fit.
        repair_since: by uid, since when it is known of them (Unix seconds).
        refusal_reported: the pod of which the last event said that its changes are refused.
        pod_size: that of the job when it was last there: of its pods, in bytes, if they are large.
        pod_asked: whether that intent's pod was asked for, and no answer tells that it was not created.
    """

    refusal: Refusal | None = None
    recalled: bool = False
    asked_for_pod_epoch: int = -1
    key_doubtful: bool = False
    key_held: bool = False
    written_at: float = 0.0
    reconcile_after: float = 0.0
    invalid_status: bool = False
    intents: Intents | None = None
    units: Units | None = None
    rulings: Rulings[Any] | None = None
    intent_epoch: int = -1
    intent_version: int = -1
    pod_asked: bool = False
    oversize: Oversize | None = None
    pod_size: int = 0
    repair_after: dict[str, float] = msgspec.field(default_factory=dict)
    repair_since: dict[str, float] = msgspec.field(default_factory=dict)
    refusal_reported: str = ""

    @property
    def units_in_creation(self) -> list[int]:
        """Return the units, or the only task, whose pods are being created."""
        return [child.spec.task_index for _, child in self.in_state(ChildState.SENT)]

    @property
    def is_unasked(self) -> bool:
        """Return whether this process recorded an intent whose pod it surely has not asked for."""
        return self.intent_epoch >= 0 and not self.pod_asked

    def pod_not_created(self, unit: int) -> None:
        """Record that the pod of an intent surely was not created, so that it may be asked for."""
        self.pod_asked = False
        if self.intents is not None:
            self.intents.not_created(unit)

    def own_units(self, epoch: int) -> frozenset[int]:
        """Return the units of an array that this process meant to start in this epoch and has not asked for."""
        return frozenset() if self.intents is None else self.intents.own(epoch)

    def own_intent(self, epoch: int) -> bool:
        """Return whether that intent, if one is on record, can only be ours: nobody else writes in our epoch."""
        return self.is_unasked and self.intent_epoch == epoch

    def set_back(self, now: float) -> None:
        """Forget, or bring near, what was recorded by a clock that has been set back to `now`, so that nobody waits for it."""
        super().set_back(now)
        self.reconcile_after = 0.0
        self.repair_after.clear()
        self.repair_since.clear()
        self.written_at = min(self.written_at, now)
        if self.refusal is not None and self.refusal.at > now:
            self.refusal = msgspec.structs.replace(self.refusal, at=now)
