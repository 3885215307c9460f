"""What one decision about a BatchJob is made from, single or array: the runtime gathers it, `core.job.decide` reads it."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from podwright.core.attempt.rulings import Rulings
from podwright.core.job.gates.dependency import NO_DEPENDENCIES, Dependencies
from podwright.core.model.attempt import Refusal
from podwright.core.model.job import JobView, KeyClaim
from podwright.core.model.pod import PodView
from podwright.core.model.units import Units, units_of
from podwright.core.spec import ArraySpec
from podwright.core.values.index_set import IndexSet

NO_UNITS: Final = units_of(None)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one job. A unit is what one pod runs: a task or pack of an array; 0 of a single job.

    Attributes:
        job: the job.
        pods: all pods that it controls, those that vanished unrecorded included.
        now: Unix seconds.
        dependencies: what is known of the jobs that it depends on.
        claim: what is known of its idempotency key; only read until its first pod.
        units: its array's record, arranged.
        creating: units whose pod's creation is under way.
        changing: names of pods of which another write is under way.
        refusal: the API server's last refusal of one of its pods, if any.
        keep_until: the job must not end or be deleted before, as a creation of unknown outcome may be on its way.
        recorded_at: when its status was last written, as far as is known.
        allowed: tasks that other jobs permit to run; None for all.
        missing: a job that doesn't exist (any more) although tasks wait for its tasks; "" if there is none.
        granted: how many pods may be asked for although one was refused for the time.
        room: how many creations the operator takes now.
        intended: under AtMostOnce, units that this process recorded as started and surely has not asked for.
        memory: what was found out about an array's pods at former decisions.
    """

    job: JobView
    pods: Sequence[PodView]
    now: float
    dependencies: Dependencies = NO_DEPENDENCIES
    claim: KeyClaim | None = None
    units: Units = NO_UNITS
    creating: Collection[int] = ()
    changing: Collection[str] = ()
    refusal: Refusal | None = None
    keep_until: float = 0.0
    recorded_at: float = 0.0
    allowed: IndexSet | None = None
    missing: str = ""
    intended: frozenset[int] = frozenset()
    granted: int = 0
    room: int = 1_000_000
    memory: Rulings[Any] | None = None

    @property
    def array(self) -> ArraySpec:
        """Return the job's array.

        Raises:
            ValueError: it is no array.
        """
        if self.job.array is None:
            raise ValueError(f"job {self.job.namespace}/{self.job.name} is no array")
        return self.job.array

    @property
    def rulings(self) -> Rulings[Any]:
        """Return what was found out about its pods.

        Raises:
            ValueError: nothing can be remembered in this snapshot.
        """
        if self.memory is None:
            raise ValueError("the snapshot of an array needs a memory")
        return self.memory
