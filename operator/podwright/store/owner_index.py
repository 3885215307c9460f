"""Which children an owner has, whatever the kinds, and roll-ups of them: how many are in which state, and which have changed.

Part of the stores (`jobs`, `objects`), which say what is newer and what is gone. Owners are told apart by their uids, which are unique
over all kinds. An owner of ten thousand children costs what changed of them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar

import msgspec


class Child(Protocol):
    """What is stored of a child."""

    @property
    def uid(self) -> str:
        """Return its uid."""
        ...

    @property
    def name(self) -> str:
        """Return its name."""
        ...


class RollUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an owner sees of its children: how many are in which state, and the names of those that changed since it last asked."""

    counts: Mapping[str, int]
    changed: frozenset[str]


C = TypeVar("C", bound=Child)
_NONE: Final[Mapping[str, object]] = MappingProxyType({})


class OwnerIndex(Generic[C]):
    """Children by uid, and by the uid of their owner. Whose a child is can't change."""

    def __init__(self) -> None:
        self._children: dict[str, dict[str, C]] = {}
        self._owner_of: dict[str, str] = {}

    @property
    def by_owner(self) -> Mapping[str, Mapping[str, C]]:
        """Return the children of all owners that have any."""
        return self._children

    def of(self, owner: str) -> Mapping[str, C]:
        """Return the children of one owner by uid; don't change the index while you walk over them."""
        return self._children.get(owner, _NONE)  # type: ignore[arg-type]

    def owner_of(self, uid: str) -> str | None:
        """Return whose a child is, None if it is not known."""
        return self._owner_of.get(uid)

    def child(self, uid: str) -> C | None:
        """Return a child, None if it is not known."""
        owner = self._owner_of.get(uid)
        return None if owner is None else self._children[owner][uid]

    def put(self, owner: str, child: C) -> None:
        """Keep a child, or its next version."""
        children = self._children.get(owner)
        if children is None:
            children = self._children[owner] = {}
        children[child.uid] = child
        self._owner_of[child.uid] = owner

    def drop(self, uid: str) -> None:
        """Forget a child that is kept."""
        owner = self._owner_of.pop(uid)
        children = self._children[owner]
        del children[uid]
        if not children:
            del self._children[owner]

    def __len__(self) -> int:
        """Return how many children are kept."""
        return len(self._owner_of)


class CountedIndex(OwnerIndex[C]):
    """An index that keeps roll-ups as well; `state_of` is what a child is counted as."""

    def __init__(self, *, state_of: Callable[[C], str]) -> None:
        super().__init__()
        self._state_of = state_of
        self._counts: dict[str, Counter[str]] = {}
        self._changed: dict[str, set[str]] = {}

    def roll_up(self, owner: str) -> RollUp:
        """Return the roll-up of an owner's children, and begin a new set of changes."""
        return RollUp(counts=dict(self._counts.get(owner, {})), changed=frozenset(self._changed.pop(owner, ())))

    def forget(self, owner: str) -> None:
        """Forget the changes that an owner which is gone won't ask for."""
        self._changed.pop(owner, None)

    def put(self, owner: str, child: C) -> None:
        """Keep a child, or its next version, and count it."""
        self._count(owner, self.of(owner).get(child.uid), child)
        super().put(owner, child)

    def drop(self, uid: str) -> None:
        """Forget a child that is kept, and count it no longer."""
        self._count(self._owner_of[uid], self.child(uid), None)
        super().drop(uid)

    def _count(self, owner: str, before: C | None, now: C | None) -> None:
        counts = self._counts.setdefault(owner, Counter())
        for child, step in ((before, -1), (now, 1)):
            if child is None:
                continue
            self._changed.setdefault(owner, set()).add(child.name)
            state = self._state_of(child)
            counts[state] += step
            if not counts[state]:
                del counts[state]
        if not counts:
            del self._counts[owner]
