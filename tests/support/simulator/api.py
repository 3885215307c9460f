"""The API server without HTTP: create, read, change and delete, under the rules of each kind.

Every call is one atomic step on the event loop, so nothing here awaits. `server` and the simulated controllers call it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.simulator import batchjobs, metadata, namespaces, pods
from tests.support.simulator.admission import Operation, Request, Rule
from tests.support.simulator.clock import Clock, LoopClock
from tests.support.simulator.deletion import DeleteOptions, check_preconditions, delete_step, goes_with_update
from tests.support.simulator.errors import already_exists, invalid, not_found
from tests.support.simulator.kinds import BATCH_JOB, NAMESPACE, POD, SERVED, Kind
from tests.support.simulator.schema import Problems, compile_schema
from tests.support.simulator.storage import Key, Revisions, Stored, Table, encode

Document = dict[str, Any]
Change = Callable[[Document], Document]

_ENVELOPE = ("apiVersion", "kind", "metadata")


class Api:
    """The stored objects and the rules for changing them."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        schema: Mapping[str, Any] | None = None,
        rules: Sequence[Rule] = (),
        history: int = 200_000,
    ) -> None:
        """Start empty but for the namespaces that every cluster has.

        Args:
            clock: where time comes from; the running event loop's unless given.
            schema: `openAPIV3Schema` of the BatchJob definition; None lets every BatchJob pass as it is.
            rules: admission rules, in order, besides those of the BatchJob definition itself.
            history: how many events each kind keeps for watches before they get 410.
        """
        self.clock: Clock = clock or LoopClock()
        self.revisions = Revisions()
        self.rules: list[Rule] = [*rules, batchjobs.rules]
        self._normalize = compile_schema(batchjobs.body_schema(schema)) if schema else None
        self._tables = {kind.plural: Table(self.revisions, history=history) for kind in SERVED.values()}
        self._namespace_controller = namespaces.NamespaceController(self)
        for name in ("default", "kube-system"):
            self.create(NAMESPACE, "", {"metadata": {"name": name}}, user="system:apiserver")

    def table(self, kind: Kind) -> Table:
        """Return the objects and the history of one kind."""
        return self._tables[kind.plural]

    def get(self, kind: Kind, key: Key) -> Stored:
        """Return an object, or raise 404."""
        stored = self.table(kind).objects.get(key)
        if stored is None:
            raise not_found(kind.plural, key.name, group=kind.group)
        return stored

    def create(self, kind: Kind, namespace: str, body: Document, *, user: str, dry_run: bool = False) -> Stored:
        """Store a new object."""
        document = metadata.check_type(kind, body)
        given = document.get("metadata")
        given = metadata.check_place(given if isinstance(given, dict) else {}, namespace=namespace, name=None)
        if kind.namespaced:
            namespaces.require_active(self, kind, namespace=namespace, name=given.get("name", ""))
        document = {**document, "metadata": metadata.for_create(kind, given, now=self.clock.now())}
        if kind.custom:
            document.pop("status", None)
        document = self._checked(kind, document)
        if kind is POD:
            document = pods.new_pod(document)
        elif kind is NAMESPACE:
            document = namespaces.new_namespace(document)
        key = Key(namespace, document["metadata"]["name"])
        self._admit(Operation.CREATE, kind, key, user=user, document=document)
        if not dry_run:
            metadata.check_unversioned(given)
        table = self.table(kind)
        if key in table.objects:
            raise already_exists(kind.plural, key.name, group=kind.group)
        return _unsaved(document) if dry_run else table.put(key, document)

    def update(
        self,
        kind: Kind,
        key: Key,
        change: Change,
        *,
        user: str,
        subresource: str = "",
        by_put: bool = False,
        dry_run: bool = False,
    ) -> tuple[Stored, bool]:
        """Store what `change` makes of an object; also tell whether that created it, as PUT does for some kinds."""
        stored = self.table(kind).objects.get(key)
        if stored is None:
            if not (by_put and kind.create_by_put):
                raise not_found(kind.plural, key.name, group=kind.group)
            return self._create_by_put(kind, key, change, user=user, dry_run=dry_run), True
        current = stored.document
        wanted = change(current)
        given = wanted.get("metadata")
        given = metadata.check_place(given if isinstance(given, dict) else {}, namespace=key.namespace, name=key.name)
        metadata.check_versions(kind, given, current=current["metadata"], by_put=by_put)
        wanted = {**metadata.check_type(kind, wanted), "metadata": given}
        wanted = self._confined(kind, current, wanted, subresource=subresource)
        document = {**wanted, "metadata": metadata.for_update(kind, wanted["metadata"], current=current["metadata"])}
        document = self._checked(kind, document)
        if kind.counts_generations and not subresource and _content(document) != _content(current):
            document["metadata"]["generation"] = current["metadata"]["generation"] + 1
        self._admit(Operation.UPDATE, kind, key, user=user, subresource=subresource, document=document, current=current)
        if goes_with_update(document["metadata"]):
            # What is answered was never stored: watches see the version before it, deleted.
            if not dry_run:
                self._remove(kind, key)
            return _unsaved(document), False
        if document == current:
            return stored, False
        return (_unsaved(document) if dry_run else self.table(kind).put(key, document)), False

    def delete(self, kind: Kind, key: Key, options: DeleteOptions, *, user: str) -> tuple[Stored, bool]:
        """Delete an object or begin to; give its last version and whether it is gone."""
        stored = self.get(kind, key)
        current = stored.document
        check_preconditions(kind, current["metadata"], options.preconditions)
        self._admit(Operation.DELETE, kind, key, user=user, current=current)
        dry_run = bool(options.dry_run)
        if kind is NAMESPACE:
            return self._delete_namespace(stored, key, dry_run=dry_run), False
        step = delete_step(kind, current, options, now=self.clock.now())
        if dry_run:
            return (_unsaved(step.changed) if step.changed else stored), step.removed
        if step.changed is not None and step.changed != current:
            stored = self.table(kind).put(key, step.changed)
        return (self._remove(kind, key), True) if step.removed else (stored, False)

    def _delete_namespace(self, stored: Stored, key: Key, *, dry_run: bool) -> Stored:
        if "deletionTimestamp" in stored.document["metadata"]:
            return stored
        document = namespaces.terminating(stored.document, now=self.clock.now())
        if dry_run:
            return _unsaved(document)
        self._namespace_controller.start_deletion(key.name)
        return self.table(NAMESPACE).put(key, document)

    def _create_by_put(self, kind: Kind, key: Key, change: Change, *, user: str, dry_run: bool) -> Stored:
        body = change({})
        given = metadata.check_place(body.get("metadata") or {}, namespace=key.namespace, name=key.name)
        if given.get("uid"):
            raise metadata.uid_conflict(kind, key.name, wanted=given["uid"], found="")
        given = {name: value for name, value in given.items() if name != "resourceVersion"}
        return self.create(kind, key.namespace, {**body, "metadata": given}, user=user, dry_run=dry_run)

    def _confined(self, kind: Kind, current: Document, wanted: Document, *, subresource: str) -> Document:
        """Keep what this (sub)resource may not change as it is stored."""
        if subresource == "binding":
            return wanted
        if subresource == "status":
            if kind is POD:
                return pods.with_status(current, wanted)
            changed = {**current, "status": wanted["status"]} if "status" in wanted else _without(current, "status")
            return changed if kind.custom else {**changed, "metadata": wanted["metadata"]}
        if kind is POD:
            wanted = pods.changed(current, wanted)
        if kind.has_status:
            wanted = _without(wanted, "status")
            if "status" in current:
                wanted["status"] = current["status"]
        return wanted

    def _checked(self, kind: Kind, document: Document) -> Document:
        """Apply the schema of a custom resource: prune, fill in, and refuse what is wrong."""
        if kind is not BATCH_JOB or self._normalize is None:
            return document
        problems: Problems = []
        body = self._normalize(_without(document, *_ENVELOPE), "", problems)
        if problems:
            raise invalid(kind.kind, document["metadata"]["name"], *problems, group=kind.group)
        return {**{part: document[part] for part in _ENVELOPE}, **body}

    def _admit(
        self,
        operation: Operation,
        kind: Kind,
        key: Key,
        *,
        user: str,
        subresource: str = "",
        document: Document | None = None,
        current: Document | None = None,
    ) -> None:
        request = Request(
            operation=operation,
            kind=kind,
            subresource=subresource,
            user=user,
            namespace=key.namespace,
            name=key.name,
            document=document,
            current=current,
        )
        for rule in self.rules:
            rule(request)

    def _remove(self, kind: Kind, key: Key) -> Stored:
        return self.table(kind).remove(key)


def _content(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in (*_ENVELOPE, "status")}


def _without(document: Document, *keys: str) -> Document:
    return {key: value for key, value in document.items() if key not in keys}


def _unsaved(document: Document) -> Stored:
    return Stored(document, encode(document), 0)
