"""Who may ask for a pod in a namespace whose quota is full: few, in turn, and more as they are let in.

Without this each object would ask for all its pods again and again. Here a refusal puts the object into its namespace's line. Each
pod of ours that ends lets the first ask for one in its place; else one request now and then finds out whether others freed
something, and each of those that succeeds allows two more. Used by the engine and the dispatcher; it sends nothing.
"""

import random
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from podwright.core.values.ref import Ref

_FIRST_DELAY: Final = 0.5
"""Seconds. Kubernetes notices freed quota a moment after a pod has ended (the controller of quotas works by events)."""
_LONGEST_DELAY: Final = 30.0
_OWED_LONGEST: Final = 8.0

Wake = Callable[[Ref, float], None]


class _Line:
    """One namespace's. `asked` are the names asked for under this rule, and whether they were probes."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[Ref, None] = OrderedDict()
        self.freed = 0
        self.owed = 0
        self.widening = 0
        self.asked: dict[str, bool] = {}
        self.delay = _FIRST_DELAY
        self.owed_delay = _FIRST_DELAY
        self.probe_at = 0.0

    def places(self, now: float) -> int:
        """Return how many may be asked for now."""
        known = self.freed + self.widening
        return known or int(now >= self.probe_at and not self.asked)

    def begin(self, name: str, now: float) -> None:
        """Record that a pod is being asked for."""
        if self.freed:
            self.freed -= 1
            self.asked[name] = False
        elif self.widening:
            self.widening -= 1
            self.asked[name] = True
        else:
            self.asked[name] = not self.owed
            self.owed = max(0, self.owed - 1)
            self.probe_at = now + self.delay

    def let_in(self, name: str) -> None:
        """Record that it was created."""
        if self.asked.pop(name, False):
            self.widening += 2
            self.delay = _FIRST_DELAY
        self.freed, self.owed = self.freed + self.owed, 0
        self.owed_delay = _FIRST_DELAY

    def refuse(self, name: str, now: float) -> None:
        """Record that it was refused."""
        was_probe = self.asked.pop(name, None)
        self.widening = 0
        if was_probe is None:  # asked for before the quota was known to be full
            self.probe_at = max(self.probe_at, now + self.delay)
        elif was_probe:
            self.delay = min(_LONGEST_DELAY, 2.0 * self.delay)
            self.probe_at = now + self.delay * (0.75 + 0.25 * random.random())
        else:
            # What a pod of ours freed isn't free yet, or somebody else has it.
            self.owed, self.freed = self.owed + 1 + self.freed, 0
            self.probe_at = min(self.probe_at, now + self.owed_delay)
            self.owed_delay *= 2.0
            if self.owed_delay > _OWED_LONGEST:
                self.owed, self.owed_delay, self.probe_at = 0, _FIRST_DELAY, now + self.delay


class QuotaLines:
    """The lines of all namespaces that have one. `wake` asks for an object to be reconciled at a time (Unix seconds)."""

    def __init__(self, *, wake: Wake) -> None:
        self._wake = wake
        self._lines: dict[str, _Line] = {}
        self._namespaces: dict[Ref, str] = {}

    def granted(self, of: Ref, *, namespace: str, now: float) -> int | None:
        """Return how many children an object may ask for, 0 if it is not its turn; None if it does not wait for quota."""
        line = self._lines.get(namespace)
        if line is None or of not in line.waiting:
            return None
        places = line.places(now)
        return places if of in islice(line.waiting, places) else 0

    def next_at(self, of: Ref, *, namespace: str) -> float | None:
        """Return when it is an object's turn to find out whether there is room again, None if it will be woken."""
        line = self._lines.get(namespace)
        if line is None or line.asked or next(iter(line.waiting), None) != of:
            return None
        return line.probe_at

    def begin(self, of: Ref, name: str, *, namespace: str, now: float) -> bool:
        """Record that a child is about to be asked for; False if it must not be."""
        line = self._lines.get(namespace)
        if line is None or of not in line.waiting:
            return True
        if not line.places(now):
            return False
        line.begin(name, now)
        return True

    def let_in(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a child was created."""
        line = self._lines.get(namespace)
        if line is None:
            return
        line.let_in(name)
        if of in line.waiting:
            line.waiting.move_to_end(of)  # it leaves when it is reconciled and asks for no more
        self._go_on(namespace, line, now)

    def refused(self, of: Ref, name: str, *, namespace: str, now: float) -> None:
        """Record that a child was refused for want of quota."""
        line = self._lines.setdefault(namespace, _Line())
        line.refuse(name, now)
        line.waiting[of] = None
        self._namespaces[of] = namespace
        line.waiting.move_to_end(of)
        self._go_on(namespace, line, now)

    def unanswered(self, name: str, *, namespace: str, now: float) -> None:
        """Record that it is not known, or does not matter, whether a child was created."""
        line = self._lines.get(namespace)
        if line is not None and line.asked.pop(name, None) is not None:
            self._go_on(namespace, line, now)

    def step_back(self, of: Ref, *, namespace: str, now: float) -> None:
        """Record that an object can't use its turn at present: the others must not wait for it."""
        line = self._lines.get(namespace)
        if line is not None and of in line.waiting:
            line.waiting.move_to_end(of)
            self._go_on(namespace, line, now)

    def leave(self, of: Ref, *, namespace: str, now: float) -> None:
        """Record that an object asks for nothing."""
        line = self._lines.get(namespace)
        if line is not None and of in line.waiting:
            del line.waiting[of]
            del self._namespaces[of]
            self._go_on(namespace, line, now)

    def forget(self, of: Ref, *, now: float) -> None:
        """Record that an object is gone."""
        namespace = self._namespaces.get(of)
        if namespace is not None:
            self.leave(of, namespace=namespace, now=now)

    def child_ended(self, *, namespace: str, now: float) -> None:
        """Record that a child of ours stopped using quota."""
        line = self._lines.get(namespace)
        if line is not None:
            line.freed += 1
            self._go_on(namespace, line, now)

    def _go_on(self, namespace: str, line: _Line, now: float) -> None:
        """Wake those who may ask now, or the first in time for the next probe."""
        if not line.waiting:
            if not line.asked:
                del self._lines[namespace]
            return
        places = line.freed + line.widening
        if not places and not line.asked:
            self._wake(next(iter(line.waiting)), max(now, line.probe_at))
        for place, of in enumerate(line.waiting):
            if place >= places:
                return
            self._wake(of, now)
