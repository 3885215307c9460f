"""What was found out about pods at former decisions, so that nothing a tenant writes is matched twice.

A verdict costs up to some 20 ms where rules have large expressions (ADR 0013), and an array may have hundreds of pods whose ends are
not on record yet. So it is made once per pod and resourceVersion, and one decision makes only so many that the leader can renew
its Lease meanwhile; the others' turn comes at the next. Lost in a crash, which costs time and nothing else.
"""

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from podwright.core.attempt.message_pattern import program_size
from podwright.core.spec import FailureRule

MOST_WORK: Final = 8_000_000
"""Instructions times characters that one decision matches: some 20 ms, by the measurement of ADR 0013."""
_LEAST_WORK: Final = 300  # of a verdict without any expression

Found = TypeVar("Found")
End = TypeVar("End")


class Memo(Generic[Found]):
    """Findings by pod, each for one state of it. What is not asked for during a decision is forgotten with it."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Hashable, Found]] = {}
        self._asked: dict[str, tuple[Hashable, Found]] = {}

    def known(self, uid: str, state: Hashable) -> Found | None:
        """Return what was found out about a pod in this very state."""
        entry = self._known.get(uid)
        if entry is None or entry[0] != state:
            return None
        self._asked[uid] = entry
        return entry[1]

    def keep(self, uid: str, state: Hashable, found: Found) -> None:
        """Remember a finding."""
        self._asked[uid] = (state, found)

    def turn(self) -> None:
        """Begin a decision: what the former one didn't ask for is of no use any more."""
        self._known, self._asked = self._asked, {}


class Rulings(Generic[End]):
    """The findings about one job's pods; `End` is what an ended one is found to be. `pending` says that the present decision left some for the next; `work` is what it cost."""

    def __init__(self) -> None:
        self.ends = Memo[End]()
        self.waits = Memo[bool]()
        self.pending = False
        self.work = 0

    def begin(self) -> None:
        """Begin a decision."""
        self.ends.turn()
        self.waits.turn()
        self.pending = False
        self.work = 0

    def find(
        self, memo: Memo[Found], uid: str, state: Hashable, *, work: int, find: Callable[[], Found]
    ) -> Found | None:
        """Return what is known of a pod in this state, found out now if there is still time; None if there isn't."""
        known = memo.known(uid, state)
        if known is not None:
            return known
        if self.work and self.work + work > MOST_WORK:
            self.pending = True
            return None
        self.work += max(work, _LEAST_WORK)
        found = find()
        memo.keep(uid, state, found)
        return found


def work_of(rules: tuple[FailureRule, ...], text: str) -> int:
    """Return what matching a text by the rules costs at most: instructions times characters."""
    return sum(program_size(rule.message) for rule in rules if rule.message) * len(text)
