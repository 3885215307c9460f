"""Which units of an array this process meant to start, on record, and has surely not asked for yet (`deliveryMode: AtMostOnce`).

Lost in a crash, which forbids: whoever finds an intent on record that is not here must take it for a pod that may have run.
"""

from collections.abc import Iterable

import msgspec


class Intents(msgspec.Struct, kw_only=True):
    """The units, and the epoch in which they were recorded: nobody else writes in our epoch.

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
