"""What a kind must say of itself to be reconciled by `described`: where it is, how it is read, decided on and written."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from podwright.core.commands import CreateChild, Decision
from podwright.core.values.ref import Ref
from podwright.kube.codecs.page import ObjectDecoder
from podwright.kube.paths import Resource
from podwright.runtime.leader_term import LeaderTerm
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
    build_child: Callable[[Any, CreateChild, LeaderTerm], bytes]
    encode_status: Callable[[Any], Mapping[str, Any]]
    with_status: Callable[[Any, Any, int], Any]
    is_over: Callable[[Any], bool]
    compact: Callable[[Any], Any] = lambda item: item
    priority: Callable[[Any], int] = lambda item: 0
