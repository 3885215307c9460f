"""The rules that all kinds share about `metadata`: names, uids, versions, finalizers and what only the server may set."""

import re
import secrets
import uuid
from typing import Any, Final

from tests.support.simulator.clock import timestamp
from tests.support.simulator.errors import ApiError, bad_request, conflict, internal, invalid
from tests.support.simulator.kinds import Kind

Document = dict[str, Any]

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RANDOM_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_STANDARD_FINALIZERS: Final = frozenset({"orphan", "foregroundDeletion", "kubernetes"})
_MODIFIED: Final = "the object has been modified; please apply your changes to the latest version and try again"


def check_type(kind: Kind, document: Document) -> Document:
    """Require the kind and version of the path; built-in kinds may leave them out."""
    given = (document.get("apiVersion"), document.get("kind"))
    if given == (kind.api_version, kind.kind):
        return document
    if not kind.custom and given == (None, None):
        return {"kind": kind.kind, "apiVersion": kind.api_version, **document}
    if not given[1]:
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is missing"
        )
    if kind.custom and given[0] == kind.api_version:
        name = (document.get("metadata") or {}).get("name", "")
        raise invalid(str(given[1]), name, ("kind", f"Invalid value: must be {kind.kind}"), group=kind.group)
    raise bad_request(
        f"the API version in the data ({given[0]}) does not match the expected version ({kind.api_version})"
    )


def check_place(metadata: Document, *, namespace: str, name: str | None) -> Document:
    """Require that the body names the object of the path, and fill in its namespace."""
    if namespace and metadata.get("namespace") not in (None, "", namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if name is not None and metadata.get("name") != name:
        raise bad_request(
            f"the name of the object ({metadata.get('name')}) does not match the name on the URL ({name})"
        )
    return {**metadata, "namespace": namespace} if namespace and metadata.get("namespace") != namespace else metadata


def for_create(kind: Kind, metadata: Document, *, now: float) -> Document:
    """Return the metadata of a new object from what the client sent."""
    made = {key: value for key, value in metadata.items() if key not in _SERVER_FIELDS and value is not None}
    if not made.get("name"):
        if not made.get("generateName"):
            raise invalid(
                kind.kind, "", ("metadata.name", "Required value: name or generateName is required"), group=kind.group
            )
        made["name"] = made["generateName"] + "".join(secrets.choice(_RANDOM_LETTERS) for _ in range(5))
    if len(made["name"]) > 253 or not _SUBDOMAIN.fullmatch(made["name"]):
        raise _invalid_field(
            kind, made["name"], "metadata.name", f'Invalid value: "{made["name"]}": a lowercase RFC 1123 name'
        )
    _check_finalizers(kind, made["name"], made.get("finalizers") or ())
    made["uid"] = str(uuid.uuid4())
    made["creationTimestamp"] = timestamp(now)
    if kind.counts_generations:
        made["generation"] = 1
    return _without_empty(made)


_SERVER_FIELDS: Final = frozenset(
    {"resourceVersion", "uid", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"}
    | {"selfLink", "managedFields"}
)


def check_versions(kind: Kind, metadata: Document, *, current: Document, by_put: bool) -> None:
    """Require that uid and resourceVersion, where the client names them, are those of the stored object.

    A wrong uid is a conflict for PUT; for a patch it is an invalid change, which `for_update` refuses.
    """
    name = current["name"]
    if by_put and metadata.get("uid") not in (None, "", current["uid"]):
        raise uid_conflict(kind, name, wanted=metadata["uid"], found=current["uid"])
    version = metadata.get("resourceVersion")
    if not version:
        if kind.blind_update:
            return
        why = ("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
        raise invalid(kind.plural, name, why, group=kind.group)
    if version != current["resourceVersion"]:
        if not isinstance(version, str) or not version.isdigit():
            raise internal(f'strconv.ParseUint: parsing "{version}": invalid syntax')
        raise conflict(kind.plural, name, _MODIFIED, group=kind.group)


def check_unversioned(metadata: Document) -> None:
    """Refuse to create what claims to be a version of something stored."""
    if metadata.get("resourceVersion"):
        raise internal("resourceVersion should not be set on objects to be created")


def uid_conflict(kind: Kind, name: str, *, wanted: str, found: str) -> ApiError:
    """The precondition on the uid of a PUT does not hold."""
    why = f"StorageError: invalid object, Code: 4: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    return conflict(kind.plural, name, why, group=kind.group)


def for_update(kind: Kind, metadata: Document, *, current: Document) -> Document:
    """Return the metadata of the next version: what only the server may set stays as it is."""
    made = {key: value for key, value in metadata.items() if key not in _SERVER_FIELDS}
    name = current["name"]
    if metadata.get("uid") not in (None, "", current["uid"]):
        raise _invalid_field(kind, name, "metadata.uid", f'Invalid value: "{metadata["uid"]}": field is immutable')
    finalizers = made.get("finalizers") or ()
    _check_finalizers(kind, name, finalizers)
    if "deletionTimestamp" in current:
        added = sorted(set(finalizers) - set(current.get("finalizers") or ()))
        if added:
            why = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {added}"
            raise _invalid_field(kind, name, "metadata.finalizers", why)
    made.update((key, current[key]) for key in _SERVER_FIELDS if key in current)
    return _without_empty(made)


def _check_finalizers(kind: Kind, name: str, finalizers: Any) -> None:
    # Custom resources may carry unqualified finalizers; the built-in kinds refuse them.
    for place, finalizer in enumerate(finalizers):
        if not kind.custom and "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            why = f'Invalid value: "{finalizer}": name is neither a standard finalizer name nor is it fully qualified'
            raise _invalid_field(kind, name, f"metadata.finalizers[{place}]", why)


def _without_empty(metadata: Document) -> Document:
    return {key: value for key, value in metadata.items() if value or key == "deletionGracePeriodSeconds"}


def _invalid_field(kind: Kind, name: str, field: str, why: str) -> ApiError:
    return invalid(kind.kind, name, (field, why), group=kind.group)
