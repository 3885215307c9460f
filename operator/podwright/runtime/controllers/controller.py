"""What the engine must know of a kind to reconcile its objects: the contract that each kind's controller fulfils.

The engine, the dispatcher and their parts walk the registered controllers and know nothing of any kind. A controller does no IO of
its own but for the reads that it is asked for, and never waits in any other method.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from podwright.core.commands import Command, Confirm, CreateChild, Decision, WriteStatus
from podwright.core.values.ref import Ref
from podwright.kube.codecs.page import ObjectDecoder, Undecodable
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.errors import StatusError
from podwright.kube.reflector import Sink
from podwright.runtime.cache_check import CacheCheck
from podwright.runtime.lanes import Result
from podwright.runtime.leader_term import LeaderTerm
from podwright.store.expectations import Expectations, ExpectationsOfAll


class Subject(Protocol):
    """An object that is decided on, as the store has it."""

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
        """Return the version that the store has."""
        ...


class Reflected(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One collection that is mirrored into a store. `path` and `sink` take a namespace, or "" for all."""

    plural: str
    path: Callable[[str], str]
    decoder: ObjectDecoder[Any, Any]
    sink: Callable[[str], Sink[Any]]
    label_selector: str = ""


class Engine(Protocol):
    """What a controller may ask of the engine."""

    def mark(self, ref: Ref) -> None:
        """Ask for an object to be reconciled."""
        ...

    def report(self, item: Undecodable) -> None:
        """Report an object that can't be read."""
        ...

    def listed(self, kind: str, uids: set[str], *, namespace: str, version: int) -> None:
        """Report which objects of a kind, in a namespace or all (""), a full list held, those that can't be read included."""
        ...

    def put_off(self, ref: Ref) -> None:
        """Leave an object alone for a while: something that it needs could not be read."""
        ...

    def child_ended(self, namespace: str) -> None:
        """Report that a child stopped using its namespace's quota."""
        ...


class Outcomes(Protocol):
    """What becomes of the writes for one kind: called when a write is queued, and with its response."""

    def begin(self, command: Command, *, expectations: Any, term: LeaderTerm) -> None:
        """Record that a command is queued."""
        ...

    def succeeded(
        self, command: Command, *, before: Subject | None, body: bytes, expectations: Any, now: float
    ) -> None:
        """Record the response to a write that was carried out.

        Raises:
            DecodeError: the response makes no sense.
        """
        ...

    def not_created(self, command: CreateChild, *, expectations: Any) -> None:
        """Record that a child was surely not created."""
        ...

    def refused(self, command: CreateChild, *, error: StatusError, expectations: Any, now: float) -> str:
        """Record why a child was refused; return the cause that is waited out in a line with others, "" if none is."""
        ...

    def status_refused(self, command: WriteStatus, *, error: StatusError, expectations: Any) -> None:
        """Record that the status was not written, and never will be from this snapshot."""
        ...

    def status_too_large(self, command: WriteStatus, *, expectations: Any, now: float) -> None:
        """Record that the status was not written as the object would be too large with it. It must not be asked for at once again."""
        ...

    def confirming(self, command: Confirm, *, expectations: Any) -> None:
        """Record that a child is to be confirmed."""
        ...

    def ended(self, command: Command, *, result: Result, expectations: Any, now: float) -> None:
        """Record the outcome of any command, after everything else."""
        ...


class Reads(Protocol):
    """Reads of one kind's objects and children from the API server itself, into the store."""

    async def read_self(self, ref: Ref, *, namespace: str, name: str) -> None:
        """Read an object from the API server into the store.

        Raises:
            Exception: it could not be read.
        """
        ...

    async def read_child(self, ref: Ref, *, namespace: str, name: str, expectations: Any) -> None:
        """Read a child from the API server into the store, as `read_self` does."""
        ...

    async def relist_children(self, ref: Ref, *, namespace: str) -> None:
        """Read all children of an object into the store, as `read_self` does."""
        ...


class Controller(Protocol):
    """One kind. `expectations` are those of its objects."""

    @property
    def kind(self) -> str:
        """Return the Kubernetes kind of the objects that are decided on."""
        ...

    @property
    def outcomes(self) -> Outcomes:
        """Return what records the outcomes of its writes."""
        ...

    @property
    def reads(self) -> Reads:
        """Return what reads its objects."""
        ...

    @property
    def expectations(self) -> ExpectationsOfAll[Any]:
        """Return what is remembered of its objects between two reconciles."""
        ...

    @property
    def cache_check(self) -> CacheCheck:
        """Return what tells, for a new leader, which of its objects the store has in their newest version."""
        ...

    def reflected(self) -> Sequence[Reflected]:
        """Return the collections that the controller must see."""
        ...

    def refs(self) -> Iterable[Ref]:
        """Return all objects that exist or still have children."""
        ...

    def find(self, ref: Ref) -> Subject | None:
        """Return an object, None if it isn't known (any more)."""
        ...

    def place_of(self, ref: Ref) -> tuple[str, str] | None:
        """Return namespace and name of an object, or of one whose children are left; None if nothing is left."""
        ...

    def seen(self, namespace: str) -> int:
        """Return the version of the collection up to which the store has everything of a namespace."""
        ...

    def is_deleted(self, ref: Ref) -> bool:
        """Return whether an object is known to be deleted, rather than just not known."""
        ...

    def is_over(self, ref: Ref) -> bool:
        """Return whether an object has ended for good, so that nothing need be remembered of it."""
        ...

    def priority_of(self, ref: Ref) -> int:
        """Return how urgent the writes of an object are among those of its namespace; higher is first."""
        ...

    def size_of(self, command: Command) -> int:
        """Return how many bytes the object has that a command writes, or about; 0 if it is small, or not known."""
        ...

    def takes_turns(self, ref: Ref) -> bool:
        """Return whether an object is not reconciled while any write of it, or of its children, is under way."""
        ...

    def prepare(self, ref: Ref, *, expectations: Any) -> bool:
        """Bring about what a decision needs beyond the store; False if a response must come first."""
        ...

    def decide(
        self, ref: Ref, *, expectations: Any, term: LeaderTerm, granted: int | None, room: int, now: float
    ) -> Decision:
        """Decide on an object, or on the children of one that is gone.

        Args:
            ref: the object.
            expectations: what is remembered of it.
            term: under which we lead.
            granted: how many children it may ask for although some were refused; None if it waits for no such cause to pass.
            room: how many more creations may wait for a place.
            now: Unix seconds.
        """
        ...

    def may_send(self, command: Command, *, expectations: Any, term: LeaderTerm, now: float) -> bool:
        """Return whether a command may be carried out now; if not, it is seen to that it is decided again in time."""
        ...

    def still_wanted(self, command: Command, *, decided_on: Any) -> bool:
        """Return whether a command that has waited would still be decided, as far as that can be told quickly."""
        ...

    def request(self, command: Command, *, term: LeaderTerm) -> ApiRequest:
        """Encode a command that writes.

        Raises:
            Exception: it can't be encoded; a template may hold what nobody foresaw.
        """
        ...

    def with_problem(self, ref: Ref, message: str) -> WriteStatus | None:
        """Return the status write that tells of an error of ours, None if it can't or need not be told."""
        ...

    def restore_after(self, error: Exception, *, expectations: Expectations) -> bool:
        """Return whether an error means that the snapshot was old, after having asked for a new one."""
        ...

    def clock_set_back(self, now: float) -> None:
        """Forget what was recorded by a clock that has been set back."""
        ...

    def work_off(self, clock: Callable[[], float]) -> float | None:
        """Do a piece, of some milliseconds, of work that no decision waits for.

        Return when the next is due by the clock (monotonic seconds), or None if nothing is left.
        """
        ...

    def forget(self, ref: Ref) -> None:
        """Forget an object of which nothing is left."""
        ...
