"""What the engine must remember about a job between two looks, beyond what the objects themselves say.

All of it may be lost in a crash: it delays and re-asks, and what it permits (`own_intent`) is then refused. These are the expectations of the
protocol's "read your own writes": an answered write goes into the store at once, an unanswered or contradicted one leaves a
doubt here, and no decision is made on a job in doubt.
"""

from typing import Final

import msgspec

from podwright.core.commands import Command, CreateChild, Delete, PatchChild, Release
from podwright.core.job.array.rulings import Rulings
from podwright.core.job.array.units import Units
from podwright.core.view import Refusal
from podwright.store.intents import Intents

REQUEST_LIFE: Final = 75.0
"""Seconds after which a request of unknown outcome cannot take effect: the API server ends requests after 60."""


class Notes(msgspec.Struct, kw_only=True):
    """About one job.

    Attributes:
        outstanding: writes and reads under way; no decision on a single job is made before they are answered.
        exclusive: those of them that no decision on an array may overlap: of the job itself, and reads.
        creating: of an array, names of pods whose creation is under way, and their units.
        changing: of an array, names of pods of which another write is under way.
        doubtful: the job itself must be read from the API server before the next decision.
        status_refused: the API server found the last status invalid; the next one leaves out what programs wrote.
        doubtful_pods: names of pods that must be read first.
        pods_unlisted: all pods of the job must be listed first.
        unanswered: by name, pods whose only creation got no answer, and until when it may take effect (Unix seconds).
        missing: those of them that a read did not find and that were not created since.
        creation_until: when a pod creation whose outcome a read did not tell can no longer take effect (Unix seconds).
        refusal: the last refusal of a pod.
        confirmed_epoch: the epoch in which the job's state was last read from the API server itself.
        asked_for_pod_epoch: the epoch in which the API server itself was last asked for a first pod that the cache lacks.
        key_doubtful: the Lease of its idempotency key must be read before it can be claimed.
        key_held: the job is known to hold its idempotency key.
        deferred_since: since when a deferrable write has been put off (Unix seconds).
        written_at: when the job's status was last written (Unix seconds).
        look_after: an array is not looked at again before (Unix seconds).
        intents: of an array, what it meant to start and has not asked for.
        units: of an array, its record as it was last arranged.
        rulings: what was found out about its ended and waiting pods.
        intent_epoch: the epoch in which this process last asked to record an intent (`core.job.at_most_once`).
        repair_after: by uid, pods that lack labels of ours, and when they may be patched again (Unix seconds).
        pod_asked: whether that intent's pod was asked for, and no answer tells that it was not created.
    """

    outstanding: int = 0
    exclusive: int = 0
    creating: dict[str, int] = msgspec.field(default_factory=dict)
    changing: set[str] = msgspec.field(default_factory=set)
    doubtful: bool = False
    status_refused: bool = False
    doubtful_pods: set[str] = msgspec.field(default_factory=set)
    pods_unlisted: bool = False
    unanswered: dict[str, float] = msgspec.field(default_factory=dict)
    missing: dict[str, float] = msgspec.field(default_factory=dict)
    creation_until: float = 0.0
    refusal: Refusal | None = None
    confirmed_epoch: int = -1
    asked_for_pod_epoch: int = -1
    key_doubtful: bool = False
    key_held: bool = False
    deferred_since: float | None = None
    written_at: float = 0.0
    look_after: float = 0.0
    intents: Intents = msgspec.field(default_factory=Intents)
    units: Units | None = None
    rulings: Rulings | None = None
    intent_epoch: int = -1
    pod_asked: bool = False
    repair_after: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def in_doubt(self) -> bool:
        """Return whether something must be read before the next decision."""
        return self.doubtful or self.pods_unlisted or bool(self.doubtful_pods)

    @property
    def is_unasked(self) -> bool:
        """Return whether this process recorded an intent whose pod it surely has not asked for."""
        return self.intent_epoch >= 0 and not self.pod_asked

    def own_intent(self, epoch: int) -> bool:
        """Return whether that intent, if one is on record, can only be ours: nobody else writes in our epoch."""
        return self.is_unasked and self.intent_epoch == epoch

    def looked_for(self, pod_name: str, *, found: bool) -> None:
        """Record that a pod was read. One that is not there yet may still come, and its creation be repeated."""
        until = self.unanswered.pop(pod_name, 0.0)
        if found:
            self.missing.pop(pod_name, None)
        elif until:
            self.creation_until = max(self.creation_until, until)
            self.missing[pod_name] = until

    def set_back(self, now: float) -> None:
        """Forget, or bring near, what was noted by a clock that has been set back to `now`, so that nobody waits for it."""
        self.look_after = 0.0
        self.repair_after.clear()
        self.written_at = min(self.written_at, now)
        self.deferred_since = None
        # What is under way can take effect for as long from now as it could from when it was sent, at most.
        latest = now + REQUEST_LIFE
        self.creation_until = min(self.creation_until, latest)
        self.unanswered = {name: min(until, latest) for name, until in self.unanswered.items()}
        self.missing = {name: min(until, latest) for name, until in self.missing.items()}
        if self.refusal is not None and self.refusal.at > now:
            self.refusal = msgspec.structs.replace(self.refusal, at=now)

    def begin(self, command: Command | None) -> None:
        """Record that a command, or a read (None), is under way."""
        self.outstanding += 1
        match command:
            case CreateChild():
                self.creating[command.name] = command.spec.task_index
                self.intents.asked(command.spec.task_index)
            case Delete() | Release() | PatchChild() if command.target != command.of:
                self.changing.add(command.name)
            case _:
                self.exclusive += 1

    def end(self, command: Command | None) -> None:
        """Record that it is answered."""
        self.outstanding -= 1
        match command:
            case CreateChild():
                self.creating.pop(command.name, None)
            case Delete() | Release() | PatchChild() if command.target != command.of:
                self.changing.discard(command.name)
            case _:
                self.exclusive -= 1


class Notebook:
    """The notes of all jobs that have any."""

    def __init__(self) -> None:
        self._notes: dict[str, Notes] = {}

    def of(self, uid: str) -> Notes:
        """Return the job's notes, empty ones if there were none."""
        notes = self._notes.get(uid)
        if notes is None:
            notes = self._notes[uid] = Notes()
        return notes

    def drop(self, uid: str) -> None:
        """Forget a job's notes unless an answer about it is still to come."""
        notes = self._notes.get(uid)
        if notes is not None and not notes.outstanding:
            del self._notes[uid]

    def set_back(self, now: float) -> None:
        """Set all notes back, as `Notes.set_back` does."""
        for notes in self._notes.values():
            notes.set_back(now)

    def __len__(self) -> int:
        """Return how many jobs have notes."""
        return len(self._notes)
