"""From a URL path to what it names: a collection, an object, a subresource, or one of the server's own pages."""

import msgspec

from tests.support.simulator.kinds import SERVED, Kind


class Route(msgspec.Struct, frozen=True, gc=False):
    """The target of a request; without a name it is the collection."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """The plural with the subresource, as audit logs and RBAC name it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def route(path: str) -> Route | None:
    """Parse a path, or give None where nothing is served."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group or rest[2] not in _NAMESPACE_SUBRESOURCES):
        namespace, rest = rest[1], rest[2:]
    kind = SERVED.get((group, version, rest[0]))
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        return None
    if len(rest) > 1 and kind.namespaced and not namespace:
        return None
    if len(rest) == 3 and rest[2] not in kind.subresources:
        return None
    return Route(kind, namespace, *rest[1:])


_NAMESPACE_SUBRESOURCES = ("status", "finalize")


def discovery(path: str) -> dict[str, object] | None:
    """Answer the discovery of groups and resources, as far as clients need it; None for any other path."""
    groups = sorted({(kind.group, kind.version) for kind in SERVED.values() if kind.group})
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*group) for group in groups]}
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.0-simulated"}
    for kind in SERVED.values():
        if path == kind.collection:
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": kind.api_version,
                "resources": _resources(path),
            }
    return None


def _group(group: str, version: str) -> dict[str, object]:
    served = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [served], "preferredVersion": served}


def _resources(collection: str) -> list[dict[str, object]]:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    found: list[dict[str, object]] = []
    for kind in SERVED.values():
        if kind.collection == collection:
            base = {"kind": kind.kind, "namespaced": kind.namespaced, "singularName": kind.kind.lower()}
            found.append({**base, "name": kind.plural, "verbs": verbs})
            found.extend(
                {**base, "name": f"{kind.plural}/{sub}", "verbs": ["patch", "update"]} for sub in kind.subresources
            )
    return found
