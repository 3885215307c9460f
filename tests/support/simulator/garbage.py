"""The garbage collector: what lost all its owners is deleted, and owners deleted in foreground wait for their dependents."""

from collections import defaultdict
from functools import partial
from typing import Any, Final

from tests.support.simulator.api import Api
from tests.support.simulator.deletion import DeleteOptions, Preconditions
from tests.support.simulator.errors import ApiError
from tests.support.simulator.kinds import SERVED, Kind
from tests.support.simulator.storage import Event, EventType, Key

Document = dict[str, Any]
Place = tuple[Kind, Key]

USER: Final = "system:serviceaccount:kube-system:generic-garbage-collector"


class GarbageCollector:
    """Watches all kinds of one `Api`; acts `delay` seconds after the cause, as the real one does some time later."""

    def __init__(self, api: Api, *, delay: float = 0.01) -> None:
        self._api = api
        self._delay = delay
        self._dependents: dict[str, set[Place]] = defaultdict(set)
        self._kinds = {(kind.api_version, kind.kind): kind for kind in SERVED.values()}
        for kind in SERVED.values():
            api.table(kind).listeners.append(partial(self._seen, kind))

    def _seen(self, kind: Kind, event: Event) -> None:
        place = (kind, event.key)
        metadata = event.current.document["metadata"]
        owners = _owner_uids(metadata)
        if event.type is EventType.DELETED:
            for uid in owners:
                self._dependents[uid].discard(place)
            for dependent in self._dependents.pop(metadata["uid"], ()):
                self._later(dependent)
            for reference in metadata.get("ownerReferences", ()):
                self._owner_later(reference, metadata.get("namespace", ""))
            return
        if owners:
            before = _owner_uids(event.previous.document["metadata"]) if event.previous else frozenset()
            if owners != before:
                for uid in owners:
                    self._dependents[uid].add(place)
                if not all(self._exists(reference, event.key) for reference in metadata["ownerReferences"]):
                    self._later(place)
        if "deletionTimestamp" in metadata and {"foregroundDeletion", "orphan"} & set(metadata.get("finalizers", ())):
            self._api.clock.call_later(self._delay, lambda: self._finish_owner(place))

    def _later(self, place: Place) -> None:
        self._api.clock.call_later(self._delay, lambda: self._collect(place))

    def _owner_later(self, reference: Document, namespace: str) -> None:
        kind = self._kinds.get((reference["apiVersion"], reference["kind"]))
        if kind is not None:
            place = (kind, Key(namespace if kind.namespaced else "", reference["name"]))
            self._api.clock.call_later(self._delay, lambda: self._finish_owner(place))

    def _exists(self, reference: Document, key: Key) -> bool:
        kind = self._kinds.get((reference.get("apiVersion", ""), reference.get("kind", "")))
        if kind is None:
            return True  # of a kind that is not served here: nothing is known, so nothing is deleted
        stored = self._api.table(kind).objects.get(Key(key.namespace if kind.namespaced else "", reference["name"]))
        return stored is not None and stored.document["metadata"]["uid"] == reference["uid"]

    def _collect(self, place: Place) -> None:
        kind, key = place
        stored = self._api.table(kind).objects.get(key)
        if stored is None:
            return
        metadata = stored.document["metadata"]
        references = metadata.get("ownerReferences", [])
        solid = [reference for reference in references if self._exists(reference, key)]
        if not references or len(solid) == len(references):
            return
        try:
            if solid:
                self._api.update(kind, key, lambda now: _with(now, ownerReferences=solid), user=USER)
            else:
                options = DeleteOptions(preconditions=Preconditions(metadata["uid"]), propagation_policy="Background")
                self._api.delete(kind, key, options, user=USER)
        except ApiError:
            self._later(place)

    def _finish_owner(self, place: Place) -> None:
        """Delete or orphan the dependents of an owner that waits for it, then let the owner go."""
        kind, key = place
        stored = self._api.table(kind).objects.get(key)
        if stored is None or "deletionTimestamp" not in stored.document["metadata"]:
            return
        metadata = stored.document["metadata"]
        dependents = [p for p in self._dependents.get(metadata["uid"], ()) if p[1] in self._api.table(p[0]).objects]
        finalizers = metadata.get("finalizers", [])
        if "orphan" in finalizers:
            for dependent_kind, dependent in dependents:
                self._api.update(dependent_kind, dependent, lambda now: _without_owner(now, metadata["uid"]), user=USER)
            self._release(place, "orphan")
        elif "foregroundDeletion" in finalizers:
            for dependent_kind, dependent in dependents:
                if "deletionTimestamp" not in self._api.get(dependent_kind, dependent).document["metadata"]:
                    self._api.delete(
                        dependent_kind, dependent, DeleteOptions(propagation_policy="Foreground"), user=USER
                    )
            left = [p for p in dependents if self._blocks(p, metadata["uid"])]
            if not left:
                self._release(place, "foregroundDeletion")

    def _blocks(self, place: Place, owner: str) -> bool:
        stored = self._api.table(place[0]).objects.get(place[1])
        references = stored.document["metadata"].get("ownerReferences", []) if stored else []
        return any(reference["uid"] == owner and reference.get("blockOwnerDeletion") for reference in references)

    def _release(self, place: Place, finalizer: str) -> None:
        def without(now: Document) -> Document:
            return _with(now, finalizers=[known for known in now["metadata"]["finalizers"] if known != finalizer])

        self._api.update(*place, without, user=USER)


def _owner_uids(metadata: Document) -> frozenset[str]:
    return frozenset(reference["uid"] for reference in metadata.get("ownerReferences", ()))


def _with(document: Document, **fields: Any) -> Document:
    return {**document, "metadata": {**document["metadata"], **fields}}


def _without_owner(document: Document, uid: str) -> Document:
    references = [known for known in document["metadata"].get("ownerReferences", []) if known["uid"] != uid]
    return _with(document, ownerReferences=references)
