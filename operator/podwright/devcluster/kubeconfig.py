"""Writes and reads kubeconfig files. Knows their format and nothing else."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from podwright.devcluster.errors import DevClusterError
from podwright.devcluster.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster.files import KeyPair


@dataclass(frozen=True)
class Endpoint:
    """Where an API server is and whom it is signed by (PEM; empty if the system's authorities are meant)."""

    server: str
    authority: bytes


def write_for_certificate(
    path: Path, *, endpoint: Endpoint, user: str, pair: KeyPair, context: str = "podwright"
) -> Path:
    """Write a kubeconfig to `path` (mode 0600) by which `user` identifies itself with a client certificate; return the path."""
    credentials = {
        "client-certificate-data": _encoded(pair.certificate.read_bytes()),
        "client-key-data": _encoded(pair.key.read_bytes()),
    }
    return _write(path, endpoint=endpoint, user=user, credentials=credentials, namespace="default", context=context)


def write_for_token(path: Path, *, endpoint: Endpoint, user: str, token: str, namespace: str) -> Path:
    """Write a kubeconfig to `path` (mode 0600) by which `user` identifies itself with a bearer token; return the path."""
    return _write(
        path, endpoint=endpoint, user=user, credentials={"token": token}, namespace=namespace, context="podwright"
    )


def read_endpoint(path: Path, *, context: str = "") -> Endpoint:
    """Return where the current (or the named) context of the kubeconfig at `path` points to. Raises DevClusterError."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise DevClusterError(f"The kubeconfig {path} cannot be read: {error}.") from error
    try:
        chosen = context or document["current-context"]
        name = _entry(document["contexts"], chosen)["context"]["cluster"]
        cluster = _entry(document["clusters"], name)["cluster"]
        server = str(cluster["server"])
    except (KeyError, TypeError, StopIteration) as error:
        raise DevClusterError(
            f"The kubeconfig {path} has no usable {'context ' + context if context else 'current context'}.",
            remedy="Set one with `kubectl config use-context`, or name another file.",
        ) from error
    if data := cluster.get("certificate-authority-data"):
        return Endpoint(server, base64.b64decode(data))
    if file := cluster.get("certificate-authority"):
        return Endpoint(server, (path.parent / str(file)).read_bytes())
    return Endpoint(server, b"")


def _entry(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _write(
    path: Path, *, endpoint: Endpoint, user: str, credentials: dict[str, str], namespace: str, context: str
) -> Path:
    cluster: dict[str, str] = {"server": endpoint.server}
    if endpoint.authority:
        cluster["certificate-authority-data"] = _encoded(endpoint.authority)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user, "namespace": namespace}}],
        "current-context": context,
    }
    write_atomically(path, yaml.safe_dump(document, sort_keys=False).encode(), mode=0o600)
    return path


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
