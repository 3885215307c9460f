"""Requests for objects of a described kind and their children: those that carry out commands, and reads into the store."""

from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.core.commands import Command, CreateChild, Delete, Release, ReportProblem, WriteStatus
from podwright.core.constants.names import FINALIZER
from podwright.core.values.ref import Ref
from podwright.kube.codecs import requests as encode
from podwright.kube.codecs.page import ObjectDecoder, Undecodable
from podwright.kube.codecs.requests import ApiRequest
from podwright.kube.codecs.status_encoding import MESSAGE_LIMIT
from podwright.kube.errors import DecodeError, parse_status
from podwright.kube.paths import Resource, resource_path
from podwright.runtime.controllers.description import Description
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.writer import Send
from podwright.store.expectations import Expectations
from podwright.store.objects import ObjectStore


class DescribedRequests:
    """Encodes commands. Made once per controller."""

    def __init__(self, description: Description, *, store: ObjectStore[Any, Any]) -> None:
        self._about = description
        self._store = store

    def request(self, command: Command, *, term: LeaderTerm) -> ApiRequest:
        """Encode a command."""
        about = self._about
        child_path = resource_path(about.child_resource, namespace=command.namespace)
        match command:
            case CreateChild():
                subject = self._store.object(command.of.uid)
                return ApiRequest(method="POST", path=child_path, body=about.build_child(subject, command, term))
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
                raise ValueError(f"{command} is no write of {self._about.kind}")

    def _status_patch(self, command: Command, version: int, status: Mapping[str, Any]) -> ApiRequest:
        metadata = {"uid": command.of.uid, "resourceVersion": str(version)}
        return ApiRequest(
            method="PATCH",
            path=resource_path(
                self._about.resource, namespace=command.namespace, name=command.name, subresource="status"
            ),
            body=msgspec.json.encode({"metadata": metadata, "status": status}),
            content_type=encode.MERGE_PATCH,
            accept=encode.METADATA_ONLY,
        )


class DescribedReads:
    """Reads objects and children. Made once per controller."""

    def __init__(self, description: Description, *, store: ObjectStore[Any, Any], send: Send) -> None:
        self._about = description
        self._store = store
        self._send = send

    async def read_self(self, ref: Ref, *, namespace: str, name: str) -> None:
        """Read an object, which may be gone."""
        item = await self._read(self._about.resource, self._about.decoder, namespace=namespace, name=name)
        if item is None or item.uid != ref.uid:
            self._store.remove(ref.uid)
        if item is not None:
            self._store.put(item)

    async def read_child(self, ref: Ref, *, namespace: str, name: str, expectations: Expectations) -> None:
        """Read a child, which may be gone."""
        about = self._about
        item = await self._read(about.child_resource, about.child_decoder, namespace=namespace, name=name)
        expectations.child_was_read(name, found=item is not None and item.owner_uid == ref.uid)
        known = self._store.children(ref.uid).get(name)
        if known is not None and (item is None or item.uid != known.uid):
            self._store.remove_child(known.uid)
        if item is not None:
            self._store.put_child(item)

    async def relist_children(self, ref: Ref, *, namespace: str) -> None:
        """Children are never forgotten, so that there is nothing to list."""

    async def _read(
        self, resource: Resource, decoder: ObjectDecoder[Any, Any], *, namespace: str, name: str
    ) -> Any | None:
        path = resource_path(resource, namespace=namespace, name=name)
        response = await self._send(ApiRequest(method="GET", path=path))
        if response.status == 200:
            return view_of(decoder, response.body)
        error = parse_status(response.status, response.body)
        if error.proves_absence(resource, name):
            return None
        raise error


def view_of(decoder: ObjectDecoder[Any, Any], body: bytes) -> Any:
    """Return the view of an object.

    Raises:
        DecodeError: it can't be understood.
    """
    item = decoder.item(body)
    if isinstance(item, Undecodable):
        raise DecodeError(f"{item.namespace}/{item.name} can't be read: {item.error}")
    return item
