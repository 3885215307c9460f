"""The life of namespaces: what may be created in them, and how one that is deleted is emptied and goes."""

from typing import TYPE_CHECKING, Any

from tests.support.simulator.clock import timestamp
from tests.support.simulator.deletion import DeleteOptions
from tests.support.simulator.errors import ApiError, forbidden, not_found
from tests.support.simulator.kinds import NAMESPACE, SERVED, Kind
from tests.support.simulator.storage import Key

if TYPE_CHECKING:
    from tests.support.simulator.api import Api

Document = dict[str, Any]

_RETRY_SECONDS = 0.05
USER = "system:serviceaccount:kube-system:namespace-controller"


def new_namespace(document: Document) -> Document:
    """Return a namespace as it is first stored."""
    metadata = document["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {
        **document,
        "metadata": {**metadata, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def require_active(api: "Api", kind: Kind, *, namespace: str, name: str) -> None:
    """Refuse to create in a namespace that is missing or on its way out."""
    stored = api.table(NAMESPACE).objects.get(Key("", namespace))
    if stored is None:
        raise not_found("namespaces", namespace)
    if stored.document["status"]["phase"] == "Terminating":
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise forbidden(kind.plural, name, why, group=kind.group, causes=[cause])


def terminating(document: Document, *, now: float) -> Document:
    """Return a namespace after a DELETE."""
    return {
        **document,
        "metadata": {**document["metadata"], "deletionTimestamp": timestamp(now)},
        "status": {"phase": "Terminating"},
    }


class NamespaceController:
    """Empties namespaces that are being deleted, and removes them when nothing is left in them."""

    def __init__(self, api: "Api") -> None:
        self._api = api

    def start_deletion(self, name: str) -> None:
        """Begin to empty a namespace."""
        self._api.clock.call_later(0, lambda: self._drain(name))

    def _drain(self, name: str) -> None:
        left = 0
        for kind in SERVED.values():
            if not kind.namespaced:
                continue
            keys = [key for key in self._api.table(kind).objects if key.namespace == name]
            left += len(keys)
            for key in keys:
                document = self._api.table(kind).objects[key].document
                if "deletionTimestamp" not in document["metadata"]:
                    try:
                        self._api.delete(kind, key, DeleteOptions(), user=USER)
                    except ApiError:
                        continue  # an admission rule refuses; the next round asks again
        if left:
            self._api.clock.call_later(_RETRY_SECONDS, lambda: self._drain(name))
        else:
            self._api.table(NAMESPACE).remove(Key("", name))
