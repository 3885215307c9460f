"""Paths of the Kubernetes API, built in one place from names that are checked. Pure; used for every request.

Names come from objects that others write, such as owner references. One like `../../secrets` or `x?watch=1` would make another
request of ours, so what is no Kubernetes name becomes no path. Rules: Kubernetes, "Object Names and IDs" (RFC 1123).
"""

import functools
import re
from typing import Final

import msgspec

from podwright.core.constants.names import GROUP, JOB_PLURAL, VERSION

_LABEL: Final = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE: Final = re.compile(_LABEL)
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._:~-]+)+")
_SHOWN: Final = 100


class InvalidNameError(ValueError):
    """Something is no name of a Kubernetes object, so no such object can exist."""


class Resource(msgspec.Struct, frozen=True, gc=False):
    """A kind of objects as the API's paths name it: where its group is, and its plural."""

    root: str
    plural: str


PODS: Final = Resource("/api/v1", "pods")
NAMESPACES: Final = Resource("/api/v1", "namespaces")
EVENTS: Final = Resource("/api/v1", "events")
LEASES: Final = Resource("/apis/coordination.k8s.io/v1", "leases")
JOBS: Final = Resource(f"/apis/{GROUP}/{VERSION}", JOB_PLURAL)


def resource_path(resource: Resource, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of a collection (of all namespaces, if none is named), of an object, or of a part of it.

    Raises:
        InvalidNameError: the namespace or the name is none that Kubernetes would accept.
    """
    path = f"{_collection(resource, namespace)}/{checked_name(name)}" if name else _collection(resource, namespace)
    return f"{path}/{subresource}" if subresource else path


def checked_name(name: str) -> str:
    """Return the name if it is one of an object (a DNS subdomain).

    Raises:
        InvalidNameError: it is none.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidNameError(f"{name[:_SHOWN]!r} is not a valid object name: expected a DNS-1123 subdomain")
    return name


def checked_path(path: str) -> str:
    """Return the path if it can't be mistaken for another one. The client asks this of every request.

    Raises:
        InvalidNameError: it holds `.` or `..` as a part, a query, a fragment, or characters that no name has.
    """
    if _PATH.fullmatch(path) is None:
        raise InvalidNameError(f"{path[:_SHOWN]!r} is not a path of the Kubernetes API")
    return path


@functools.lru_cache(maxsize=1024)
def _collection(resource: Resource, namespace: str) -> str:
    if not namespace:
        return f"{resource.root}/{resource.plural}"
    if _NAMESPACE.fullmatch(namespace) is None:
        raise InvalidNameError(f"{namespace[:_SHOWN]!r} is not a valid namespace: expected a DNS-1123 label")
    return f"{resource.root}/namespaces/{namespace}/{resource.plural}"
