"""Any kind that is described by what `Description` holds: its controller, made of the description alone.

For kinds that own children and have nothing else to them; BatchJobs, with arrays, keys and quotas, have a controller of their own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from podwright.core.commands import Command, Decision, Release, WriteStatus
from podwright.core.values.ref import Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.paths import resource_path
from podwright.runtime.cache_check import CacheCheck
from podwright.runtime.controllers.controller import Engine, Reflected, Subject
from podwright.runtime.controllers.described_api import DescribedReads, DescribedRequests
from podwright.runtime.controllers.described_outcomes import DescribedOutcomes
from podwright.runtime.controllers.description import Description, Snapshot
from podwright.runtime.feeds import ChildFeed, ObjectFeed, ObjectFeeds
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from podwright.store.expectations import ChildState, Expectations, ExpectationsOfAll
from podwright.store.objects import ObjectStore


class DescribedController:
    """The controller of a kind that is described."""

    def __init__(self, description: Description, *, engine: Engine, send: Send) -> None:
        self._description = description
        self._engine = engine
        self.expectations: ExpectationsOfAll[Any] = ExpectationsOfAll(Expectations)
        self.store: ObjectStore[Any, Any] = ObjectStore(on_change=self._mark, compact=description.compact)
        self.outcomes = DescribedOutcomes(description, store=self.store, engine=engine)
        self.reads = DescribedReads(description, store=self.store, send=send)
        self._requests = DescribedRequests(description, store=self.store)
        self._feeds = ObjectFeeds(
            lambda namespace: ObjectFeed(
                description.kind,
                put=self.store.put,
                remove=self.store.remove,
                replace=self.store.replace,
                engine=engine,
                namespace=namespace,
            )
        )
        self.cache_check = CacheCheck(
            kind=description.kind,
            send=send,
            paths=lambda: [resource_path(description.resource, namespace=each) for each in self._feeds.namespaces],
            version_of=self._version_of,
            mark=engine.mark,
        )

    @property
    def kind(self) -> str:
        """Return the kind."""
        return self._description.kind

    def reflected(self) -> Sequence[Reflected]:
        """Return the collections of the objects and of their children."""
        about = self._description
        return (
            Reflected(
                plural=about.resource.plural,
                path=lambda namespace: resource_path(about.resource, namespace=namespace),
                decoder=about.decoder,
                sink=self._feeds.add,
            ),
            Reflected(
                plural=f"{about.child_resource.plural} of {about.resource.plural}",
                path=lambda namespace: resource_path(about.child_resource, namespace=namespace),
                decoder=about.child_decoder,
                sink=lambda namespace: ChildFeed(
                    put=self.store.put_child,
                    remove=self.store.remove_child,
                    replace=self.store.replace_children,
                    engine=self._engine,
                    namespace=namespace,
                ),
                label_selector=about.child_label,
            ),
        )

    def refs(self) -> Iterable[Ref]:
        """Return all objects."""
        return (Ref(self.kind, uid) for uid in self.store.uids())

    def find(self, ref: Ref) -> Subject | None:
        """Return an object."""
        return self.store.object(ref.uid)

    def place_of(self, ref: Ref) -> tuple[str, str] | None:
        """Return namespace and name of an object, or of one whose children are left."""
        subject = self.store.object(ref.uid)
        if subject is not None:
            return subject.namespace, subject.name
        child = next(iter(self.store.children(ref.uid).values()), None)
        return None if child is None else (child.namespace, child.owner_name)

    def seen(self, namespace: str) -> int:
        """Return up to which version all objects of a namespace are known."""
        return self._feeds.version(namespace)

    def _version_of(self, uid: str) -> int | None:
        known = self.store.object(uid)
        return None if known is None else int(known.resource_version)

    def is_deleted(self, ref: Ref) -> bool:
        """Return whether an object is known to be deleted."""
        return self.store.was_deleted(ref.uid)

    def is_over(self, ref: Ref) -> bool:
        """Return whether an object has ended."""
        subject = self.store.object(ref.uid)
        return subject is not None and self._description.is_over(subject)

    def priority_of(self, ref: Ref) -> int:
        """Return its priority."""
        subject = self.store.object(ref.uid)
        return 0 if subject is None else self._description.priority(subject)

    def size_of(self, command: Command) -> int:
        """Return the size of what a command writes: as that of what is small, since objects that only own others are."""
        return 0

    def takes_turns(self, ref: Ref) -> bool:
        """Return whether one write of it at most is under way: no, only its own are exclusive."""
        return False

    def prepare(self, ref: Ref, *, expectations: Expectations) -> bool:
        """Nothing is needed beyond the store."""
        return True

    def decide(
        self,
        ref: Ref,
        *,
        expectations: Expectations,
        term: LeaderTerm,
        granted: int | None,
        room: int,
        now: float,
    ) -> Decision:
        """Ask the policy, or let go of the children of an object that is gone."""
        subject = self.store.object(ref.uid)
        children = {
            name: child for name, child in self.store.children(ref.uid).items() if name not in expectations.changing
        }
        if subject is None:
            return Decision(
                commands=tuple(
                    Release(
                        of=ref,
                        target=Ref(self._description.child_kind, child.uid),
                        namespace=child.namespace,
                        name=child.name,
                    )
                    for child in children.values()
                    if child.held
                )
            )
        pending = frozenset(name for name, _ in expectations.in_state(ChildState.SENT))
        places = room if granted is None else min(room, granted)
        return self._description.decide(
            Snapshot(
                ref=ref,
                subject=subject,
                children=children,
                roll_up=self.store.roll_up(ref.uid),
                pending=pending,
                room=places,
                now=now,
            )
        )

    def may_send(self, command: Command, *, expectations: Expectations, term: LeaderTerm, now: float) -> bool:
        """Nothing is held back."""
        return True

    def still_wanted(self, command: Command, *, decided_on: Any) -> bool:
        """Compare versions: a status write needs its own, and a creation that the object is still there."""
        subject = self.store.object(command.of.uid)
        if isinstance(command, WriteStatus):
            return subject is not None and subject.resource_version == command.resource_version
        return subject is not None and not self._description.is_over(subject)

    def request(self, command: Command, *, term: LeaderTerm) -> ApiRequest:
        """Encode a command."""
        return self._requests.request(command, term=term)

    def with_problem(self, ref: Ref, message: str) -> WriteStatus | None:
        """An error of ours is in the log."""
        return None

    def restore_after(self, error: Exception, *, expectations: Expectations) -> bool:
        """No error means that the snapshot was old."""
        return False

    def clock_set_back(self, now: float) -> None:
        """Nothing was recorded by the clock."""

    def work_off(self, clock: Callable[[], float]) -> float | None:
        """Nothing is left to be done."""
        return None

    def forget(self, ref: Ref) -> None:
        """Nothing more is known."""

    def _mark(self, uid: str) -> None:
        self._engine.mark(Ref(self.kind, uid))
