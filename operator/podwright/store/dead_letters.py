"""How many dead letters each namespace has. Used by `JobStore`, which says what came and went, and by the metrics.

Counted as they come and go: to count them anew for each reading of the metrics would mean a look at every job.
"""

from collections import Counter
from collections.abc import Mapping

from podwright.core.model.job import JobView
from podwright.core.model.phase import Phase


class DeadLetters:
    """The counts; a namespace without dead letters is not among them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def replace(self, before: JobView | None, now: JobView | None) -> None:
        """Record that a job came (`before` is None), changed, or went (`now` is None)."""
        if before is not None and before.status.phase is Phase.DEAD_LETTERED:
            self._counts[before.namespace] -= 1
            if not self._counts[before.namespace]:
                del self._counts[before.namespace]
        if now is not None and now.status.phase is Phase.DEAD_LETTERED:
            self._counts[now.namespace] += 1

    def by_namespace(self) -> Mapping[str, int]:
        """Return the counts."""
        return self._counts
