"""The objects of one kind and their children, whatever the kinds: each only moves forward, and owners see roll-ups of their children.

The generic counterpart of `store.jobs`, with the same two rules: an object only ever moves forward in resourceVersion, and what was
deleted stays known as deleted for a while. Owners are told how many children are in which phase, and which have changed since they
last asked, so that an owner of ten thousand costs what changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec

from podwright.store.tombstones import Tombstones


class Known(Protocol):
    """What is stored of any object."""

    @property
    def uid(self) -> str:
        """Return its uid."""
        ...

    @property
    def namespace(self) -> str:
        """Return its namespace."""
        ...

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def resource_version(self) -> int:
        """Return its version."""
        ...


class KnownChild(Known, Protocol):
    """What is stored of a child."""

    @property
    def owner_uid(self) -> str:
        """Return the uid of the object that it is verified to be a child of; "" if it is nobody's."""
        ...

    @property
    def phase(self) -> str:
        """Return what its owner counts it as."""
        ...

    @property
    def held(self) -> bool:
        """Return whether our finalizer keeps it."""
        ...


class RollUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an owner is told of its children: how many are in which phase, and the names of those that changed since it last asked."""

    counts: Mapping[str, int]
    changed: frozenset[str]


O = TypeVar("O", bound=Known)  # noqa: E741
C = TypeVar("C", bound=KnownChild)


class ObjectStore(Generic[O, C]):
    """Objects and their children by uid. `on_change` is told the uid of each object that must be reconciled.

    `compact` makes what is kept of an object that is over.
    """

    def __init__(self, *, on_change: Callable[[str], None], compact: Callable[[O], O]) -> None:
        self._on_change = on_change
        self._compact = compact
        self._objects: dict[str, O] = {}
        self._children: dict[str, dict[str, C]] = {}
        self._owner_of: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._changed: dict[str, set[str]] = {}
        self._deleted = Tombstones()

    def object(self, uid: str) -> O | None:
        """Return an object."""
        return self._objects.get(uid)

    def children(self, uid: str) -> Mapping[str, C]:
        """Return the children of an object by name."""
        return {child.name: child for child in self._children.get(uid, {}).values()}

    def uids(self) -> set[str]:
        """Return the uids of all objects that exist or have children."""
        return self._objects.keys() | self._children.keys()

    def was_deleted(self, uid: str) -> bool:
        """Return whether an object is known to be deleted."""
        return uid in self._deleted

    def roll_up(self, uid: str) -> RollUp:
        """Return the roll-up of an object's children, and begin a new set of changes."""
        return RollUp(counts=dict(self._counts.get(uid, {})), changed=frozenset(self._changed.pop(uid, ())))

    def put(self, item: O) -> None:
        """Take in an object unless a newer version of it, or its deletion, is known."""
        known = self._objects.get(item.uid)
        if item.uid in self._deleted or (known is not None and known.resource_version >= item.resource_version):
            return
        self._objects[item.uid] = self._compact(item)
        self._on_change(item.uid)

    def remove(self, uid: str) -> None:
        """Record that an object is gone; children that are held stay until they are let go of."""
        self._objects.pop(uid, None)
        self._deleted.add(uid)
        for child in list(self._children.get(uid, {}).values()):
            if not child.held:
                self._drop(child)
        self._on_change(uid)

    def replace(self, items: Iterable[O], *, list_version: int, also_present: set[str], namespace: str) -> None:
        """Take in a full list: what it lacks is gone, unless it is newer than the list."""
        listed = set(also_present)
        for item in items:
            listed.add(item.uid)
            self.put(item)
        for uid, known in list(self._objects.items()):
            if uid not in listed and known.resource_version <= list_version and namespace in ("", known.namespace):
                self.remove(uid)

    def put_child(self, child: C) -> None:
        """Take in a child, if it is one: what belongs to nobody is not kept."""
        owner_uid = self._owner_of.get(child.uid, child.owner_uid)
        if not owner_uid or child.uid in self._deleted or owner_uid != child.owner_uid:
            return
        known = self._children.get(owner_uid, {}).get(child.uid)
        if known is not None and known.resource_version >= child.resource_version:
            return
        if known is not None:
            self._counts[owner_uid][known.phase] -= 1
        self._children.setdefault(owner_uid, {})[child.uid] = child
        self._owner_of[child.uid] = owner_uid
        self._counts.setdefault(owner_uid, Counter())[child.phase] += 1
        self._changed.setdefault(owner_uid, set()).add(child.name)
        if owner_uid in self._deleted and not child.held:
            self._drop(child)
        self._on_change(owner_uid)

    def remove_child(self, uid: str) -> None:
        """Record that a child is gone."""
        self._deleted.add(uid)
        owner_uid = self._owner_of.get(uid)
        if owner_uid is None:
            return
        self._drop(self._children[owner_uid][uid])
        self._on_change(owner_uid)

    def replace_children(
        self, items: Iterable[C], *, list_version: int, also_present: set[str], namespace: str
    ) -> None:
        """Take in a full list, as `replace` does."""
        listed = set(also_present)
        for child in items:
            listed.add(child.uid)
            self.put_child(child)
        vanished = [
            child.uid
            for children in self._children.values()
            for child in children.values()
            if child.uid not in listed and child.resource_version <= list_version and namespace in ("", child.namespace)
        ]
        for uid in vanished:
            self.remove_child(uid)

    def _drop(self, child: C) -> None:
        owner_uid = self._owner_of.pop(child.uid)
        children = self._children[owner_uid]
        del children[child.uid]
        self._counts[owner_uid][child.phase] -= 1
        self._changed.setdefault(owner_uid, set()).add(child.name)
        if not children:
            del self._children[owner_uid]
            self._counts.pop(owner_uid, None)
            if owner_uid not in self._objects:
                self._changed.pop(owner_uid, None)
