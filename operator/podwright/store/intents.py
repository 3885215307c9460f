"""Which units of an array this process meant to start, on record, and has surely not asked for yet (`deliveryMode: AtMostOnce`).

Lost in a crash, which forbids: whoever finds an intent on record that is not here must take it for a pod that may have run.
"""

from collections.abc import Iterable

import msgspec


class Intents(msgspec.Struct, kw_only=True):
    """The units, and the epoch in which they were recorded: nobody else writes in our epoch."""

    epoch: int = -1
    units: set[int] = msgspec.field(default_factory=set)

    def own(self, epoch: int) -> frozenset[int]:
        """Return the units that may be asked for in this epoch."""
        return frozenset(self.units) if epoch == self.epoch else frozenset()

    def write(self, *, added: Iterable[int], withdrawn: Iterable[int], epoch: int) -> None:
        """Record a status write that is on its way; whether it arrives, the record will tell."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.units.clear()
        self.units.difference_update(withdrawn)
        self.units.update(added)

    def asked(self, unit: int) -> None:
        """Record that the unit's pod is being asked for."""
        self.units.discard(unit)

    def not_created(self, unit: int) -> None:
        """Record that the pod was surely not created."""
        self.units.add(unit)

    def forget(self) -> None:
        """Record that a status write was refused: what is on record may be somebody else's."""
        self.units.clear()
