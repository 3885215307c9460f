"""A small client for tests: any request as any user, with the API server's answer as it is."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from podwright.devcluster import EmbeddedCluster

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
OPERATOR = "system:serviceaccount:podwright-system:podwright-operator"
_IDLE_SECONDS = 30.0  # the API server closes what was idle for longer than 90 s

_PREFIXES = {
    "BatchJob": ("/apis/podwright.dev/v1alpha1", "batchjobs"),
    "Pod": ("/api/v1", "pods"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
}


@dataclass(frozen=True)
class Answer:
    """What the API server answered."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def words(self) -> str:
        """The words of a refusal; empty if there was none."""
        return "" if self.ok else str(self.body["message"])

    @property
    def message(self) -> str:
        """The words of the refusal; fails the test if there was none."""
        assert not self.ok, self.body
        return self.words

    def expect(self) -> Any:
        """The object; fails the test on a refusal."""
        assert self.ok, self.body
        return self.body


class Connection(http.client.HTTPSConnection):
    """A connection that opens anew, before the next request, if it was idle for long or the last request broke off."""

    _used = 0.0

    def exchange(self, method: str, target: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return the status code and the body of the answer."""
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()
        try:
            self.request(method, target, body=body, headers=headers)
            with self.getresponse() as response:
                answer = response.status, response.read()
        except BaseException:  # also a test's timeout
            self.close()
            raise
        self._used = time.monotonic()
        return answer


@dataclass(frozen=True)
class Api:
    """One connection to the API server as administrator, acting as `user` if that is set. Not for several threads."""

    connection: Connection
    user: str = ""

    @classmethod
    def of(cls, cluster: EmbeddedCluster) -> Api:
        """Connect as administrator."""
        certificates = cluster.ca_file.parent
        context = ssl.create_default_context(cafile=str(cluster.ca_file))
        context.load_cert_chain(certificates / "admin.crt", certificates / "admin.key")
        parts = urlsplit(cluster.server)
        return cls(Connection(parts.hostname or "", parts.port, timeout=30, context=context))

    def acting_as(self, user: str) -> Api:
        """The same connection with another user's rights (impersonation)."""
        return replace(self, user=user)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self.user:
            headers["Impersonate-User"] = self.user
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body)
        code, raw = self.connection.exchange(method, target, content, headers)
        return Answer(code, json.loads(raw) if raw.startswith(b"{") else {"message": raw.decode()})

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Answer:
        """Create the object in its namespace."""
        return self.request("POST", _path(manifest["kind"], _namespace(manifest)), manifest, query=_dry(dry_run))

    def get(self, kind: str, namespace: str, name: str) -> Answer:
        """Read one object."""
        return self.request("GET", _path(kind, namespace, name))

    def list(self, kind: str, namespace: str, **query: str) -> Answer:
        """Read all objects of a namespace that the selectors of `query` select."""
        return self.request("GET", _path(kind, namespace), query=query)

    def replace(self, manifest: Mapping[str, Any]) -> Answer:
        """Replace the object."""
        return self.request(
            "PUT", _path(manifest["kind"], _namespace(manifest), manifest["metadata"]["name"]), manifest
        )

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        changes: Mapping[str, Any],
        *,
        subresource: str = "",
        content_type: str = MERGE,
        dry_run: bool = False,
    ) -> Answer:
        """Change the object, or its subresource."""
        path = _path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, changes, content_type=content_type, query=_dry(dry_run))

    def delete(self, kind: str, namespace: str, name: str) -> Answer:
        """Delete the object, at once."""
        return self.request("DELETE", _path(kind, namespace, name), query={"gracePeriodSeconds": "0"})


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["namespace"])


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _path(kind: str, namespace: str, name: str = "") -> str:
    prefix, plural = _PREFIXES[kind]
    path = f"{prefix}/namespaces/{namespace}/{plural}"
    return f"{path}/{name}" if name else path
