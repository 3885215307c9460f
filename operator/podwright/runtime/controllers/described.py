"""Any kind that is described by what `Description` holds: its controller, made of the description alone.

For kinds that own children and have nothing else to them; BatchJobs, with arrays, keys and quotas, have a controller of their own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from podwright.core.commands import Command, Confirm, CreateChild, Decision, Delete, Release, ReportProblem, WriteStatus
from podwright.core.constants.names import FINALIZER
from podwright.core.values.ref import Ref
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.page import ObjectDecoder, Undecodable, decode_version
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.codecs.status_encoding import MESSAGE_LIMIT
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.kube.paths import Resource, resource_path
from podwright.runtime.controllers.controller import Engine, Reflected, Subject
from podwright.runtime.lanes import Result
from podwright.runtime.tenure import Tenure
from podwright.runtime.writer import Send
from podwright.store.expectations import ChildState, Expectations, ExpectationsOfAll
from podwright.store.objects import ObjectStore
from podwright.store.owner_index import RollUp


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a decision is made on. `subject` is None when the object is gone and children are left; `pending` are being created."""

    ref: Ref
    subject: Any
    children: Mapping[str, Any]
    roll_up: RollUp
    pending: frozenset[str]
    room: int
    now: float


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A kind.

    Attributes:
        kind: its Kubernetes kind.
        resource: where its objects are.
        decoder: makes the views of its objects; they are what `store.objects` calls known.
        child_kind: the kind of its children.
        child_resource: where they are.
        child_decoder: makes their views, each verified to be of the owner that it names.
        child_label: the label by which children of ours are found.
        decide: the policy.
        build_child: the body of a child, from its owner, the command and the leader's term, which fences it.
        encode_status: what is written as status.
        with_status: a view as it is once a status was written.
        compact: what is kept of an object, such as less of one that is over.
        is_over: whether an object has ended for good.
        priority: how urgent its writes are within its namespace.
    """

    kind: str
    resource: Resource
    decoder: ObjectDecoder[Any, Any]
    child_kind: str
    child_resource: Resource
    child_decoder: ObjectDecoder[Any, Any]
    child_label: str
    decide: Callable[[Snapshot], Decision]
    build_child: Callable[[Any, CreateChild, Tenure], bytes]
    encode_status: Callable[[Any], Mapping[str, Any]]
    with_status: Callable[[Any, Any, int], Any]
    is_over: Callable[[Any], bool]
    compact: Callable[[Any], Any] = lambda item: item
    priority: Callable[[Any], int] = lambda item: 0


class DescribedController:
    """The controller of a kind that is described."""

    def __init__(self, description: Description, *, engine: Engine, send: Send) -> None:
        self._description = description
        self._engine = engine
        self._send = send
        self.expectations: ExpectationsOfAll[Any] = ExpectationsOfAll(Expectations)
        self.store: ObjectStore[Any, Any] = ObjectStore(on_change=self._mark, compact=description.compact)

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
                sink=lambda namespace: _ObjectSink(about.kind, self.store, self._engine, namespace),
            ),
            Reflected(
                plural=f"{about.child_resource.plural} of {about.resource.plural}",
                path=lambda namespace: resource_path(about.child_resource, namespace=namespace),
                decoder=about.child_decoder,
                sink=lambda namespace: _ChildSink(self.store, namespace),
                label_selector=about.child_label,
            ),
        )

    def refs(self) -> Iterable[Ref]:
        """Return all objects."""
        return [Ref(self.kind, uid) for uid in self.store.uids()]

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
        tenure: Tenure,
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

    def may_send(self, command: Command, *, expectations: Expectations, tenure: Tenure, now: float) -> bool:
        """Nothing is held back."""
        return True

    def begin(self, command: Command, *, expectations: Expectations, tenure: Tenure) -> None:
        """Nothing more is recorded."""

    def still_wanted(self, command: Command, *, decided_on: Any) -> bool:
        """Compare versions: a status write needs its own, and a creation that the object is still there."""
        subject = self.store.object(command.of.uid)
        if isinstance(command, WriteStatus):
            return subject is not None and subject.resource_version == command.resource_version
        return subject is not None and not self._description.is_over(subject)

    def request(self, command: Command, *, tenure: Tenure) -> ApiRequest:
        """Encode a command."""
        about = self._description
        child_path = resource_path(about.child_resource, namespace=command.namespace)
        match command:
            case CreateChild():
                subject = self.store.object(command.of.uid)
                return ApiRequest(method="POST", path=child_path, body=about.build_child(subject, command, tenure))
            case WriteStatus():
                status = dict(about.encode_status(command.status))
                return self._status_patch(command, command.resource_version, status)
            case ReportProblem():
                status = {"reason": "InternalError", "message": command.message[:MESSAGE_LIMIT]}
                return self._status_patch(command, command.resource_version, status)
            case Release():
                # A merge patch replaces the list, so ours must be the only one; others keep it until they are done.
                patch = {"metadata": {"uid": command.target.uid, "$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
                return ApiRequest(
                    method="PATCH",
                    path=f"{child_path}/{command.name}",
                    body=msgspec.json.encode(patch),
                    content_type=encode.STRATEGIC_MERGE_PATCH,
                    accept=encode.METADATA_ONLY,
                )
            case Delete():
                own = command.target == command.of
                path = resource_path(
                    about.resource if own else about.child_resource, namespace=command.namespace, name=command.name
                )
                preconditions: dict[str, Any] = {"uid": command.target.uid}
                if command.resource_version is not None:
                    preconditions["resourceVersion"] = str(command.resource_version)
                options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
                return ApiRequest(method="DELETE", path=path, body=msgspec.json.encode(options))
            case _:
                raise ValueError(f"{command} is no write of {self.kind}")

    def _status_patch(self, command: Command, version: int, status: Mapping[str, Any]) -> ApiRequest:
        metadata = {"uid": command.of.uid, "resourceVersion": str(version)}
        return ApiRequest(
            method="PATCH",
            path=resource_path(
                self._description.resource, namespace=command.namespace, name=command.name, subresource="status"
            ),
            body=msgspec.json.encode({"metadata": metadata, "status": status}),
            content_type=encode.MERGE_PATCH,
            accept=encode.METADATA_ONLY,
        )

    def succeeded(
        self, command: Command, *, before: Subject | None, body: bytes, expectations: Expectations, now: float
    ) -> None:
        """Put what was written into the store."""
        match command:
            case CreateChild():
                self.store.put_child(_one(self._description.child_decoder, body))
            case WriteStatus():
                subject = self.store.object(command.of.uid)
                if subject is not None and subject.resource_version == command.resource_version:
                    version = decode_version(body)
                    self.store.put(self._description.with_status(subject, command.status, version))
            case Delete() if command.target == command.of:
                self.store.remove(command.of.uid)
            case Delete() | Release():
                expectations.confirm_children.add(command.name)

    def not_created(self, command: CreateChild, *, expectations: Expectations) -> None:
        """Nothing is to be taken back."""

    def refused(self, command: CreateChild, *, error: StatusError, expectations: Expectations, now: float) -> bool:
        """Leave the object alone for a while."""
        self._engine.put_off(command.of)
        return "exceeded quota" in error.message

    def status_refused(self, command: WriteStatus, *, error: StatusError, expectations: Expectations) -> None:
        """Nothing hangs on it."""

    def status_too_large(self, command: WriteStatus, *, expectations: Expectations, now: float) -> None:
        """Leave the object alone for a while."""
        self._engine.put_off(command.of)

    def confirming(self, command: Confirm, *, expectations: Expectations) -> None:
        """Nothing hangs on it."""

    def ended(self, command: Command, *, result: Result, expectations: Expectations, now: float) -> None:
        """Nothing hangs on it."""

    async def read_self(self, ref: Ref, *, namespace: str, name: str) -> None:
        """Read an object, which may be gone."""
        item = await self._read(self._description.resource, self._description.decoder, namespace=namespace, name=name)
        if item is None or item.uid != ref.uid:
            self.store.remove(ref.uid)
        if item is not None:
            self.store.put(item)

    async def read_child(self, ref: Ref, *, namespace: str, name: str, expectations: Expectations) -> None:
        """Read a child, which may be gone."""
        about = self._description
        item = await self._read(about.child_resource, about.child_decoder, namespace=namespace, name=name)
        expectations.child_was_read(name, found=item is not None and item.owner_uid == ref.uid)
        known = self.store.children(ref.uid).get(name)
        if known is not None and (item is None or item.uid != known.uid):
            self.store.remove_child(known.uid)
        if item is not None:
            self.store.put_child(item)

    async def relist_children(self, ref: Ref, *, namespace: str) -> None:
        """Children are never forgotten, so that there is nothing to list."""

    async def _read(
        self, resource: Resource, decoder: ObjectDecoder[Any, Any], *, namespace: str, name: str
    ) -> Any | None:
        path = resource_path(resource, namespace=namespace, name=name)
        response = await self._send(ApiRequest(method="GET", path=path))
        if response.status == 200:
            return _one(decoder, response.body)
        error = parse_status(response.status, response.body)
        if error.proves_absence(resource, name):
            return None
        raise error

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


class _ObjectSink:
    """Takes objects. What can't be read is reported."""

    def __init__(self, kind: str, store: ObjectStore[Any, Any], engine: Engine, namespace: str) -> None:
        self._namespace = namespace
        self._kind = kind
        self._store = store
        self._engine = engine

    def replaced(self, items: Sequence[Any], list_resource_version: int) -> None:
        poisoned = [item for item in items if isinstance(item, Undecodable)]
        readable = (item for item in items if not isinstance(item, Undecodable))
        present = {item.uid for item in poisoned}
        self._store.replace(
            readable, list_version=list_resource_version, also_present=present, namespace=self._namespace
        )
        self._engine.listed(
            self._kind, {item.uid for item in items}, namespace=self._namespace, version=list_resource_version
        )
        for item in poisoned:
            self._engine.report(item)

    def changed(self, item: Any) -> None:
        self._store.put(item)

    def deleted(self, item: Any) -> None:
        self._store.remove(item.uid)

    def undecodable(self, item: Undecodable) -> None:
        self._engine.report(item)


class _ChildSink:
    """Takes children; one that can't be read is as if it had not changed."""

    def __init__(self, store: ObjectStore[Any, Any], namespace: str) -> None:
        self._namespace = namespace
        self._store = store

    def replaced(self, items: Sequence[Any], list_resource_version: int) -> None:
        readable = (item for item in items if not isinstance(item, Undecodable))
        present = {item.uid for item in items if isinstance(item, Undecodable)}
        self._store.replace_children(
            readable, list_version=list_resource_version, also_present=present, namespace=self._namespace
        )

    def changed(self, item: Any) -> None:
        self._store.put_child(item)

    def deleted(self, item: Any) -> None:
        self._store.remove_child(item.uid)

    def undecodable(self, item: Undecodable) -> None:
        pass


def _one(decoder: ObjectDecoder[Any, Any], body: bytes) -> Any:
    item = decoder.item(body)
    if isinstance(item, Undecodable):
        raise DecodeError(f"{item.namespace}/{item.name} can't be read: {item.error}")
    return item
