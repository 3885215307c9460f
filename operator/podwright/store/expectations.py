"""What this process must remember about an object between two reconciles, beyond what the objects themselves say.

These are the expectations of the protocol's "read your own writes": an answered write goes into the store at once, an unanswered or
contradicted one leaves something here that must be confirmed first, and nothing is decided before. All of it may be lost in a
crash: that delays and re-asks, and what it permits is then refused.
"""

import enum
from collections.abc import Collection, Iterator
from typing import Any, Final, Generic, TypeVar

import msgspec

from podwright.core.commands import Command, CreateChild, Delete, PatchChild, Release
from podwright.core.values.ref import Ref

REQUEST_LIFE: Final = 75.0
"""Seconds after which a request of unknown outcome cannot take effect: the API server ends requests after 60."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class ChildState(enum.Enum):
    """How far the creation of a child is, as far as this process knows. One that is confirmed, or surely failed, has no state."""

    SENT = "Sent"
    UNKNOWN = "Unknown"  # no answer tells; the API server must be asked
    ABSENT = "Absent"  # the API server didn't have it; the creation may take effect until its request has died


class RefusedChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A child of which writes are refused: how often in a row, in which words, and when to try again (Unix seconds)."""

    count: int
    until: float
    message: str


class ExpectedChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One child whose creation was asked for. `until` is when a former request of unknown outcome is dead (0: none is)."""

    state: ChildState
    spec: Any
    until: float = 0.0


class Expectations(msgspec.Struct, kw_only=True):
    """About one object of any kind.

    Attributes:
        outstanding: writes and reads under way.
        exclusive: those of them that no decision may overlap: writes of the object itself, and reads.
        children: by name, children whose creation was asked for.
        changing: names of children of which another write is under way.
        confirm_self: the object must be read from the API server before the next decision.
        confirm_children: names of children that must be read first.
        relist_children: all its children must be listed first.
        creation_until: when a creation whose outcome a read did not tell can no longer take effect (Unix seconds).
        confirmed_epoch: the epoch in which the object was last read from the API server itself.
        refused_children: by name, children of which the last write was refused.
        unmade: names whose creation, of unknown outcome, came to nothing as far as a read can tell.
        asked_for: names of children that decisions on the object asked the API server for, and its resourceVersion then.
        waits_for: why its last child was refused, if that may pass: what it waits for in a line with others.
        taken: names whose creation was answered with "already exists"; what has them must be read first.
    """

    outstanding: int = 0
    exclusive: int = 0
    children: dict[str, ExpectedChild] = msgspec.field(default_factory=dict)
    changing: dict[str, None] = msgspec.field(default_factory=dict)  # an empty set takes three times as much
    confirm_self: bool = False
    confirm_children: set[str] = msgspec.field(default_factory=set)
    relist_children: bool = False
    creation_until: float = 0.0
    confirmed_epoch: int = -1
    refused_children: dict[str, RefusedChild] = msgspec.field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    waits_for: str = ""
    unmade: tuple[str, ...] = ()
    asked_for: tuple[int, set[str]] | None = None

    @property
    def must_confirm(self) -> bool:
        """Return whether something must be read before the next decision."""
        return self.confirm_self or self.relist_children or bool(self.confirm_children)

    def in_state(self, state: ChildState) -> Iterator[tuple[str, ExpectedChild]]:
        """Return the children in a state."""
        return ((name, child) for name, child in self.children.items() if child.state is state)

    @property
    def creating(self) -> int:
        """Return how many creations are under way."""
        if not self.children:
            return 0
        return sum(child.state is ChildState.SENT for child in self.children.values())

    @property
    def late_creation_until(self) -> float:
        """Return when no creation of unknown outcome can take effect any more; one that was repeated and answered counts no more."""
        return max((child.until for child in self.children.values()), default=0.0)

    # The writes.

    def begin(self, command: Command | None) -> None:
        """Record that a command, or a read (None), is under way."""
        self.outstanding += 1
        match command:
            case CreateChild():
                former = self.children.get(command.name)
                until = 0.0 if former is None else former.until
                self.children[command.name] = ExpectedChild(state=ChildState.SENT, spec=command.spec, until=until)
            case Delete() | Release() | PatchChild() if command.target != command.of:
                self.changing[command.name] = None
            case _:
                self.exclusive += 1

    def end(self, command: Command | None) -> None:
        """Record that it is answered; a creation is afterwards taken as not carried out, unless the response says otherwise."""
        self.outstanding -= 1
        match command:
            case CreateChild():
                child = self.children.pop(command.name, None)
                if child is not None and child.until:
                    self.children[command.name] = msgspec.structs.replace(child, state=ChildState.ABSENT)
            case Delete() | Release() | PatchChild() if command.target != command.of:
                self.changing.pop(command.name, None)
            case _:
                self.exclusive -= 1

    def created(self, name: str) -> None:
        """Record that a child was created."""
        self.children.pop(name, None)

    def creation_unknown(self, command: CreateChild, *, now: float) -> None:
        """Record that it is not known whether a child was created: it may be asked for again, under its name."""
        self.children[command.name] = ExpectedChild(
            state=ChildState.UNKNOWN, spec=command.spec, until=now + REQUEST_LIFE
        )
        self.confirm_children.add(command.name)

    def name_was_taken(self, name: str) -> None:
        """Record that a child was not created as an object of its name exists, which may be the child itself."""
        self.taken |= {name}
        self.confirm_children.add(name)

    def child_was_read(self, name: str, *, found: bool) -> None:
        """Record that the API server was asked for a child. One that is not there yet may still come."""
        self.taken -= {name}
        child = self.children.get(name)
        if child is None:
            return
        if found:
            del self.children[name]
        elif child.state is ChildState.UNKNOWN:
            self.creation_until = max(self.creation_until, child.until)
            self.children[name] = msgspec.structs.replace(child, state=ChildState.ABSENT)
            self.unmade = (*self.unmade, name)

    def asks_again(self, name: str, *, version: int) -> bool:
        """Record that a decision asks the API server for a child; return whether one on the same version of the object did already."""
        if self.asked_for is None or self.asked_for[0] != version:
            self.asked_for = (version, {name})
            return False
        again = name in self.asked_for[1]
        self.asked_for[1].add(name)
        return again

    def take_unmade(self) -> tuple[str, ...]:
        """Return the children that reads found not to have been created, which nobody has taken yet."""
        unmade, self.unmade = self.unmade, ()
        return unmade

    # Children whose changes the API server refuses.

    def child_refused(self, name: str, *, message: str, now: float) -> RefusedChild:
        """Record that a change of a child was refused, in these words; return what is known of it now."""
        before = self.refused_children.get(name)
        count = 1 if before is None else before.count + 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(count - 1, 10))
        refused = self.refused_children[name] = RefusedChild(count=count, until=now + pause, message=message)
        return refused

    def child_accepted(self, name: str) -> None:
        """Record that a change of a child was carried out."""
        self.refused_children.pop(name, None)

    def forget_refused(self, *, but: Collection[str]) -> None:
        """Forget the refusals of all children but these: the others are gone, so nothing will be changed about them."""
        for name in self.refused_children.keys() - set(but):
            del self.refused_children[name]

    def refused_until(self, name: str) -> float:
        """Return the time before which a child must be left alone; 0 if it may be changed."""
        entry = self.refused_children.get(name)
        return entry.until if entry else 0.0

    def set_back(self, now: float) -> None:
        """Forget, or bring near, what was recorded by a clock that has been set back to `now`, so that nobody waits for it."""
        # What is under way can take effect for as long from now as it could from when it was sent, at most.
        latest = now + REQUEST_LIFE
        self.creation_until = min(self.creation_until, latest)
        self.children = {
            name: msgspec.structs.replace(child, until=min(child.until, latest))
            for name, child in self.children.items()
        }
        self.refused_children.clear()


E = TypeVar("E", bound=Expectations)


class ExpectationsOfAll(Generic[E]):
    """The expectations of all objects that have any. `make` makes those of a new one."""

    def __init__(self, make: type[E]) -> None:
        self._make = make
        self._all: dict[Ref, E] = {}

    def of(self, ref: Ref) -> E:
        """Return an object's expectations, empty ones if there were none."""
        found = self._all.get(ref)
        if found is None:
            found = self._all[ref] = self._make()
        return found

    def known(self, ref: Ref) -> E | None:
        """Return an object's expectations if it has any."""
        return self._all.get(ref)

    def drop(self, ref: Ref, *, gone: bool = False) -> None:
        """Forget an object's expectations unless an answer about it is still to come, or children are let alone for a while.

        `gone` tells that no children are left either.
        """
        found = self._all.get(ref)
        if found is not None and not found.outstanding and (gone or not found.refused_children):
            del self._all[ref]

    def set_back(self, now: float) -> None:
        """Set all back, as `Expectations.set_back` does."""
        for expectations in self._all.values():
            expectations.set_back(now)

    def __len__(self) -> int:
        """Return how many objects have expectations."""
        return len(self._all)
