"""Random sequences of API calls, told without the names, uids and versions that a particular server would use.

A `Call` refers to objects by slots and to versions by their age ("current", "stale"). `Player` plays calls against one
server and tells what came back in the same neutral words, so the answers of two servers can be compared.
"""

import dataclasses
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from tests.cluster.api import OPERATOR
from tests.support.rest import JSON_PATCH, MERGE, STRATEGIC, Answer, Document, Rest

PATHS: Final = {
    "batchjobs": "/apis/podwright.dev/v1alpha1/namespaces/{}/batchjobs",
    "pods": "/api/v1/namespaces/{}/pods",
    "leases": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
}
LABEL: Final = "sequence"
_STRANGER: Final = "11111111-2222-3333-4444-555555555555"
_FINALIZERS: Final = ("example.com/one", "example.com/other")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """One request. `version` and `uid` say which one the client believes in; None names none."""

    verb: str
    plural: str
    slot: int = 0
    subresource: str = ""
    body: Any = None
    content_type: str = "application/json"
    version: str | None = None
    uid: str | None = None
    query: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return it in one line."""
        place = f"{self.plural}/{self.slot}" + (f"/{self.subresource}" if self.subresource else "")
        known = ", ".join(f"{name}={value}" for name, value in (("version", self.version), ("uid", self.uid)) if value)
        return f"{self.verb} {place} {self.body} {known} {dict(self.query) or ''}".strip()


class Player:
    """Plays calls against one server; `sequence` keeps the objects of one example apart from those of others."""

    def __init__(self, rest: Rest, namespace: str, sequence: str) -> None:
        self._rest = rest
        self._namespace = namespace
        self._sequence = sequence
        self._seen: dict[tuple[str, str], list[Document]] = defaultdict(list)

    async def play(self, call: Call) -> Any:
        """Send one call and tell the answer in neutral words."""
        path = PATHS[call.plural].format(self._namespace)
        name = self._name(call.slot)
        seen = self._seen[call.plural, name]
        if call.verb == "LIST":
            return await self._list(path, {"labelSelector": f"{LABEL}={self._sequence}", **dict(call.query)})
        if call.verb == "POST" and not call.subresource:
            body = self._body(call, name, seen, create=True)
            answer = await self._rest.send("POST", path, body, query=dict(call.query))
        else:
            place = f"{path}/{name}" + (f"/{call.subresource}" if call.subresource else "")
            sent = self._body(call, name, seen, create=False)
            # Podwright's policies let nobody else write it.
            user = OPERATOR if (call.plural, call.subresource) == ("batchjobs", "status") else ""
            answer = await self._rest.send(
                call.verb, place, sent, query=dict(call.query), content_type=call.content_type, user=user
            )
        if answer.code < 300 and "uid" in answer.body.get("metadata", {}) and not call.query:
            self._seen[call.plural, answer.body["metadata"]["name"]].append(answer.body)
        return self._told(answer)

    async def state(self) -> Any:
        """Return all that is stored."""
        return [await self.play(Call(verb="LIST", plural=plural)) for plural in PATHS]

    async def history(self, plural: str, *, after: str) -> list[Any]:
        """Return the events of a watch from a version on. What changes nothing visible is left out: field managers do."""
        path = PATHS[plural].format(self._namespace)
        body = next(body for body in _bodies(plural))
        end = f"end-{self._sequence}"
        await self._rest.send("POST", path, _with_metadata(body, {"name": end, "labels": {LABEL: self._sequence}}))
        query = {"labelSelector": f"{LABEL}={self._sequence}", "resourceVersion": after, "timeoutSeconds": "10"}
        events: list[Any] = []
        last: dict[str, Any] = {}
        async for event in self._rest.watch(path, query=query):
            name, told = event["object"]["metadata"]["name"], self._neutral(event["object"])
            if name == end:
                break
            if event["type"] != "MODIFIED" or last.get(name) != told:
                events.append((event["type"], told))
            last[name] = told
        await self._rest.send("DELETE", f"{path}/{end}")
        return events

    async def version(self) -> str:
        """Return the server's present version."""
        answer = await self._rest.send("GET", PATHS["leases"].format(self._namespace), query={"limit": "1"})
        return str(answer.body["metadata"]["resourceVersion"])

    def _name(self, slot: int) -> str:
        return f"{'abc'[slot]}-{self._sequence}"

    def _body(self, call: Call, name: str, seen: Sequence[Document], *, create: bool) -> Any:
        if call.verb == "GET":
            return None
        facts: Document = {}
        if call.version is not None:
            facts["resourceVersion"] = self._version(call.version, seen)
        if call.uid is not None:
            known = [version["metadata"]["uid"] for version in seen] or [_STRANGER]
            facts["uid"] = {"current": known[-1], "former": known[0], "stranger": _STRANGER}[call.uid]
        if call.verb == "DELETE":
            return {**(call.body or {}), **({"preconditions": facts} if facts else {})} or None
        if not isinstance(call.body, dict):
            return call.body
        if call.subresource == "binding":
            return {**call.body, "metadata": {"name": name}}
        metadata = {**call.body.get("metadata", {}), **facts}
        if call.verb in ("POST", "PUT"):
            generated = "generateName" in metadata
            metadata = {**metadata, "labels": {LABEL: self._sequence, **metadata.get("labels", {})}}
            metadata |= {"generateName": f"{name}-"} if generated else {"name": name}
        return {**call.body, "metadata": metadata} if metadata else call.body

    def _version(self, age: str, seen: Sequence[Document]) -> str:
        """Return a resourceVersion of that age; a stale one is of a version that differs visibly from the current one."""
        if not seen or age == "zero":
            return "" if seen else "7"
        if age == "current":
            return str(seen[-1]["metadata"]["resourceVersion"])
        current = self._neutral(seen[-1])
        stale = [version for version in seen if self._neutral(version) != current]
        return str(stale[-1]["metadata"]["resourceVersion"]) if stale else "7"

    def _told(self, answer: Answer) -> Any:
        if answer.body.get("kind") == "Status":
            details = answer.body.get("details", {})
            # The real server adds a cause without a field when it left rules unchecked.
            fields = sorted({cause.get("field", "") for cause in details.get("causes", ())} - {"<nil>"})
            told = (answer.code, answer.body["status"], answer.reason, self._neutral_text(details.get("name", "")))
            return (*told, fields) if answer.reason == "Invalid" else told
        return answer.code, self._neutral(answer.body)

    async def _list(self, path: str, query: dict[str, str]) -> Any:
        """Return all pages of a list. How many there are depends on what else lies in the namespace."""
        items: list[Any] = []
        while True:
            answer = await self._rest.send("GET", path, query=query)
            if answer.code != 200:
                return self._told(answer)
            items.extend(self._neutral(item) for item in answer.body["items"])
            query["continue"] = answer.body["metadata"].get("continue", "")
            if not query["continue"]:
                # Generated names come in another order from each server.
                return answer.body["kind"], sorted(
                    items, key=lambda item: (item["metadata"]["name"], str(item["spec"]))
                )

    def _neutral(self, item: Document) -> Any:
        """Return an object without what differs from server to server."""
        if not item:
            return item
        given = item.get("metadata", {})
        metadata = {key: given[key] for key in sorted(given) if key not in _PARTICULAR}
        for key in ("name", "generateName"):
            if key in metadata:
                metadata[key] = self._neutral_text(metadata[key])
        metadata["labels"] = {k: v for k, v in metadata.get("labels", {}).items() if k != LABEL}
        if "deletionTimestamp" in metadata:
            metadata["deletionTimestamp"] = "set"
        metadata["namespace"] = "ours" if metadata.get("namespace") == self._namespace else metadata.get("namespace")
        rest: Document = {key: _sorted(item[key]) for key in ("spec", "status") if key in item}
        if "containers" in rest.get("spec", {}):
            rest = _pod_essence(rest)
        return {"metadata": metadata, **rest}

    def _neutral_text(self, text: str) -> str:
        text = text.replace(self._sequence, "#")
        return re.sub(r"(?<=#-)[a-z0-9]{5}$", "*", text)


_PARTICULAR: Final = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "labels")


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _pod_essence(pod: Document) -> Document:
    """Return what the rules are about; the many defaults of a real API server are left out."""
    spec, status = pod["spec"], pod.get("status", {})
    containers = [{key: container.get(key) for key in ("name", "image")} for container in spec["containers"]]
    kept = {key: spec.get(key) for key in ("nodeName", "restartPolicy", "activeDeadlineSeconds", "schedulerName")}
    conditions = sorted((c["type"], c["status"]) for c in status.get("conditions", ()))
    return {
        "spec": {**kept, "containers": containers},
        "status": {"phase": status.get("phase"), "reason": status.get("reason"), "conditions": conditions},
    }


def _template(image: str = "busybox:1") -> Document:
    return {"spec": {"containers": [{"name": "main", "image": image}]}}


def _bodies(plural: str) -> list[Document]:
    """Whole objects, without their names: right ones, and wrong ones."""
    if plural == "batchjobs":
        head = {"apiVersion": "podwright.dev/v1alpha1", "kind": "BatchJob"}
        job: Document = {**head, "spec": {"template": _template()}}
        return [
            job,
            {**job, "spec": {**job["spec"], "priority": 5, "unknown": 1, "suspend": True}},
            {**job, "spec": {**job["spec"], "retry": {"limit": 1}}, "status": {"phase": "Running"}},
            {**job, "spec": {"priority": 1}},
            {**job, "spec": {**job["spec"], "priority": "high"}},
        ]
    if plural == "pods":
        # No scheduler answers to that name, so nobody but the two players touches the pod.
        spec = {**_template()["spec"], "schedulerName": "nobody", "restartPolicy": "Never"}
        return [
            {"apiVersion": "v1", "kind": "Pod", "spec": spec},
            {"spec": {**spec, "activeDeadlineSeconds": 9}, "status": {"phase": "Running"}},
            {"spec": {**spec, "containers": []}},
            {"spec": spec, "metadata": {"finalizers": ["unqualified"]}},
        ]
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    return [
        {**lease, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 10, "leaseTransitions": n}} for n in (1, 2)
    ]


def _with_metadata(body: Document, metadata: Mapping[str, Any]) -> Document:
    return {**body, "metadata": {**body.get("metadata", {}), **metadata}}


_METADATA: Final[st.SearchStrategy[Document]] = st.sampled_from(
    [
        {},
        {},
        {"finalizers": [_FINALIZERS[0]]},
        {"finalizers": list(_FINALIZERS)},
        {"labels": {"tier": "gold"}},
        {"annotations": {"note": "x"}},
    ]
)
_CREATE_METADATA: Final[st.SearchStrategy[Document]] = st.one_of(
    _METADATA,
    st.sampled_from([{"generateName": "x"}, {"resourceVersion": "5"}, {"uid": _STRANGER}, {"namespace": "elsewhere"}]),
)


def _merge_patches(plural: str, subresource: str) -> list[Any]:
    metadata = [
        {"metadata": {"labels": {"tier": "iron"}}},
        {"metadata": {"labels": {"tier": None}}},
        {"metadata": {"finalizers": None}},
        {"metadata": {"finalizers": [_FINALIZERS[1]]}},
        {"metadata": {"generation": 9, "deletionTimestamp": None}},
        {},
        [],
    ]
    if plural == "batchjobs":
        phases = [{"status": {"phase": phase, "observedGeneration": 1}} for phase in ("Pending", "Running", "Retrying")]
        finished = {
            "type": "Finished",
            "status": "True",
            "reason": "X",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        over = {"phase": "Succeeded", "finishTime": "2026-01-01T00:00:00Z"}
        ends = [
            {"status": over},
            {"status": {**over, "conditions": [finished, {**finished, "type": "Complete"}]}},
            {"status": {"phase": "Nonsense"}},
            {"status": None},
        ]
        specs = [
            {"spec": {"suspend": True}},
            {"spec": {"priority": 3}},
            {"spec": {"cancel": "Graceful"}},
            {"spec": {"cancel": None}},
        ]
        return metadata + (
            phases + ends if subresource else specs + phases[:1] + [{"spec": {"template": _template("other:1")}}]
        )
    if plural == "pods":
        phases = [{"status": {"phase": phase, "reason": "Told"}} for phase in ("Running", "Succeeded", "Failed")]
        return metadata + (
            phases if subresource else [{"spec": {"activeDeadlineSeconds": 5}}, {"spec": {"priority": 7}}]
        )
    return [*metadata, {"spec": {"holderIdentity": "other"}}, {"spec": {"leaseTransitions": 3}}]


_STRATEGIC_PATCHES: Final[list[Document]] = [
    {"metadata": {"$deleteFromPrimitiveList/finalizers": [_FINALIZERS[0]]}},
    {"metadata": {"$deleteFromPrimitiveList/finalizers": list(_FINALIZERS)}},
    {"metadata": {"finalizers": [_FINALIZERS[1]]}},
]
_STRATEGIC_POD_PATCHES: Final[list[Document]] = [
    *_STRATEGIC_PATCHES,
    {"spec": {"containers": [{"name": "main", "image": "other:2"}]}},
    {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
]
_JSON_PATCHES: Final = [
    [
        {"op": "test", "path": "/metadata/labels/tier", "value": "gold"},
        {"op": "remove", "path": "/metadata/labels/tier"},
    ],
    [{"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}}],
    [{"op": "replace", "path": "/metadata/annotations/a~1b", "value": "d"}],
    [{"op": "remove", "path": "/metadata/finalizers/0"}],
    [{"op": "remove", "path": "/metadata/nothing"}],
    {"op": "add"},
]
_DELETES: Final = [
    None,
    {"gracePeriodSeconds": 0},
    {"gracePeriodSeconds": 5},
    {"propagationPolicy": "Background"},
    {"dryRun": ["All"]},
    {"propagationPolicy": "Sideways"},
]

_slots: Final = st.integers(0, 1)
_versions: Final = st.sampled_from([None, None, "current", "current", "stale", "zero", "early"])
_uids: Final = st.sampled_from([None, None, "current", "former", "stranger"])


@st.composite
def _calls_on(draw: st.DrawFn, plural: str) -> Call:
    verb = draw(st.sampled_from(["POST", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE", "DELETE", "GET", "LIST"]))
    slot, version, uid = draw(_slots), draw(_versions), draw(_uids)
    if verb in ("GET", "LIST"):
        limit = draw(st.sampled_from([(), (("limit", "1"),)])) if verb == "LIST" else ()
        return Call(verb=verb, plural=plural, slot=slot, query=limit)
    dry_run = draw(st.sampled_from([(), (), (), (("dryRun", "All"),)]))
    if verb == "POST":
        if plural == "pods" and draw(st.integers(0, 3)) == 0:
            body = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "nowhere"}}
            return Call(verb="POST", plural=plural, slot=slot, subresource="binding", body=body)
        body = draw(st.sampled_from(_bodies(plural)))
        return Call(
            verb=verb, plural=plural, slot=slot, body=_with_metadata(body, draw(_CREATE_METADATA)), query=dry_run
        )
    if verb == "PUT":
        body = _with_metadata(draw(st.sampled_from(_bodies(plural)[:2])), draw(_METADATA))
        return Call(verb=verb, plural=plural, slot=slot, body=body, version=version, uid=uid, query=dry_run)
    if verb == "DELETE":
        return Call(verb=verb, plural=plural, slot=slot, body=draw(st.sampled_from(_DELETES)), version=version, uid=uid)
    subresource = "" if plural == "leases" else draw(st.sampled_from(["", "status"]))
    form, patches = draw(
        st.sampled_from(
            [
                (MERGE, _merge_patches(plural, subresource)),
                (MERGE, _merge_patches(plural, subresource)),
                (STRATEGIC, _STRATEGIC_POD_PATCHES if plural == "pods" else _STRATEGIC_PATCHES),
                (JSON_PATCH, _JSON_PATCHES),
            ]
        )
    )
    patch = draw(st.sampled_from(patches))
    return Call(
        verb=verb,
        plural=plural,
        slot=slot,
        subresource=subresource,
        body=patch,
        content_type=form,
        version=version,
        uid=uid,
        query=dry_run,
    )


def sequences() -> st.SearchStrategy[list[Call]]:
    """Sequences on a few objects of all kinds."""
    return st.lists(st.one_of(*map(_calls_on, PATHS)), min_size=1, max_size=24)


_numbers: Final = itertools.count()


def next_sequence() -> str:
    """Return a word that no other sequence of this process has."""
    return f"q{next(_numbers)}"
