"""The objects of one kind and their children, whatever the kinds: each only moves forward, and owners see roll-ups of their children.

The generic counterpart of `store.jobs`, with the same two rules: an object only ever moves forward in resourceVersion, and what was
deleted stays known as deleted for a while. Owners are told how many children are in which phase, and which have changed since they
last asked, so that an owner of ten thousand costs what changed.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from podwright.store.full_list import replace_in_steps
from podwright.store.owner_index import CountedIndex, RollUp
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
        self._children: CountedIndex[C] = CountedIndex(state_of=lambda child: child.phase)
        self._deleted = Tombstones()

    def object(self, uid: str) -> O | None:
        """Return an object."""
        return self._objects.get(uid)

    def children(self, uid: str) -> Mapping[str, C]:
        """Return the children of an object by name."""
        return {child.name: child for child in self._children.of(uid).values()}

    def uids(self) -> set[str]:
        """Return the uids of all objects that exist or have children."""
        return self._objects.keys() | self._children.by_owner.keys()

    def was_deleted(self, uid: str) -> bool:
        """Return whether an object is known to be deleted."""
        return uid in self._deleted

    def roll_up(self, uid: str) -> RollUp:
        """Return the roll-up of an object's children, and begin a new set of changes."""
        return self._children.roll_up(uid)

    def put(self, item: O) -> None:
        """Store an object unless a newer version of it, or its deletion, is known."""
        known = self._objects.get(item.uid)
        if item.uid in self._deleted or (known is not None and known.resource_version >= item.resource_version):
            return
        self._objects[item.uid] = self._compact(item)
        self._on_change(item.uid)

    def remove(self, uid: str) -> None:
        """Record that an object is gone; children that are held stay until they are let go of."""
        self._objects.pop(uid, None)
        self._deleted.add(uid)
        for child in tuple(self._children.of(uid).values()):
            if not child.held:
                self._children.drop(child.uid)
        self._children.forget(uid)
        self._on_change(uid)

    def replace(
        self, items: Iterable[O], *, list_version: int, also_present: set[str], namespace: str
    ) -> Generator[None, None, None]:
        """Store a full list, in steps: what it lacks is gone, unless it is newer than the list."""
        return replace_in_steps(
            items,
            put=self.put,
            known=self._objects.values,
            remove=lambda known: self.remove(known.uid),
            list_version=list_version,
            also_present=also_present,
            namespace=namespace,
        )

    def put_child(self, child: C) -> None:
        """Store a child, if it is one: what belongs to nobody is not kept."""
        owner = child.owner_uid
        if not owner or child.uid in self._deleted or self._children.owner_of(child.uid) not in (None, owner):
            return
        known = self._children.of(owner).get(child.uid)
        if known is not None and known.resource_version >= child.resource_version:
            return
        if child.held or owner not in self._deleted:
            self._children.put(owner, child)
        elif known is not None:
            self._children.drop(child.uid)
        self._on_change(owner)

    def remove_child(self, uid: str) -> None:
        """Record that a child is gone."""
        self._deleted.add(uid)
        owner = self._children.owner_of(uid)
        if owner is None:
            return
        self._children.drop(uid)
        if owner not in self._objects:
            self._children.forget(owner)
        self._on_change(owner)

    def replace_children(
        self, items: Iterable[C], *, list_version: int, also_present: set[str], namespace: str
    ) -> Generator[None, None, None]:
        """Store a full list, as `replace` does."""
        return replace_in_steps(
            items,
            put=self.put_child,
            known=lambda: (child for children in self._children.by_owner.values() for child in children.values()),
            remove=lambda child: self.remove_child(child.uid),
            list_version=list_version,
            also_present=also_present,
            namespace=namespace,
        )
