"""What happened: the requests that went through a proxy, and every version of jobs and pods that was ever stored.

The two are independent. Requests are what one operator asked for; versions come from a watch of our own, straight from the
API server, so they hold whatever anybody did.
"""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from podwright.core.constants import names
from tests.support.rest import Rest

Document = dict[str, Any]

JOBS_PATH: Final = f"/apis/{names.API_VERSION}/{names.JOB_PLURAL}"
PODS_PATH: Final = "/api/v1/pods"
KEY_LEASES: Final = "podwright-key-"
MUTATING: Final = frozenset({"create", "update", "patch", "delete"})
_RECONNECT_SECONDS: Final = 0.02


class Exchange(msgspec.Struct, kw_only=True):
    """One request of an operator. `code` is what the API server answered, None if it was never asked or never answered."""

    number: int
    at: float
    verb: str
    resource: str
    namespace: str
    name: str
    query: str
    dry_run: bool
    body: bytes = b""
    code: int | None = None
    answered: int | None = None
    """What the operator was told, which an action may have changed; None if it got no answer."""
    uid: str = ""
    resource_version: str = ""

    @property
    def writes(self) -> bool:
        """Whether it asked to change a job or a pod, or the Lease of a job's idempotency key."""
        resource = self.resource.partition("/")[0]
        counts = resource in ("pods", names.JOB_PLURAL) or (resource == "leases" and self.name.startswith(KEY_LEASES))
        return self.verb in MUTATING and counts and not self.dry_run

    def __str__(self) -> str:
        """Return it in one line."""
        told = "" if self.answered == self.code else f", told {self.answered}"
        return f"#{self.number} {self.verb} {self.resource} {self.namespace}/{self.name} -> {self.code}{told}"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One stored version of an object; of a deleted one, the last, under the version of its deletion."""

    deleted: bool
    document: Document
    at: float

    @property
    def metadata(self) -> Document:
        """Its metadata."""
        metadata: Document = self.document["metadata"]
        return metadata

    @property
    def uid(self) -> str:
        """Its uid."""
        return str(self.metadata["uid"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.metadata["namespace"])

    @property
    def revision(self) -> int:
        """Its resourceVersion, which orders all versions of both kinds."""
        return int(self.metadata["resourceVersion"])

    @property
    def status(self) -> Document:
        """Its status."""
        status: Document = self.document.get("status", {})
        return status


class VersionLog:
    """All versions of all jobs and of the pods of jobs since the log began, and the present state.

    What waits in vain on it is told the present state, and what `beside` tells of those who act.
    """

    def __init__(self, *, beside: Callable[[], str]) -> None:
        self._beside = beside
        self.jobs: list[Version] = []
        self.pods: list[Version] = []
        # By kind and namespace, since hundreds of stories in namespaces of their own may ask at every event.
        self._present: defaultdict[tuple[str, str], dict[str, Version]] = defaultdict(dict)
        self._changed = asyncio.Event()

    def present_jobs(self, namespace: str) -> list[Version]:
        """Return the jobs of a namespace that exist now."""
        return list(self._present[names.JOB_PLURAL, namespace].values())

    def present_pods(self, namespace: str) -> list[Version]:
        """Return the pods of jobs of a namespace that exist now."""
        return list(self._present["pods", namespace].values())

    def knows(self, uid: str, revision: int, *, deleted: bool) -> bool:
        """Return whether a version of an object that is at least so new, or its deletion, was recorded."""
        return any(
            version.uid == uid and version.revision >= revision and (version.deleted or not deleted)
            for version in itertools.chain(reversed(self.jobs), reversed(self.pods))
        )

    async def until(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait for a condition on the present state. Fails with `what` and that state after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}\n{self.summary()}\n  {self._beside()}")
            self._changed.clear()
            try:
                # Looked at now and then also without news: a condition may depend on time.
                await asyncio.wait_for(self._changed.wait(), min(left, 0.2))
            except TimeoutError:
                continue

    def summary(self) -> str:
        """Return the present state in a few lines."""
        lines = [f"  {v.namespace}/{v.name}: {v.status}" for v in self._all(names.JOB_PLURAL)]
        for v in self._all("pods"):
            ends = {key: v.metadata[key] for key in ("finalizers", "deletionTimestamp") if key in v.metadata}
            lines.append(f"  pod {v.namespace}/{v.name}: {v.status.get('phase')} {ends}")
        return "\n".join(lines) or "  nothing is stored"

    def add(self, plural: str, document: Document, *, deleted: bool) -> None:
        """Record one event of a watch."""
        version = Version(deleted=deleted, document=document, at=time.time())
        (self.jobs if plural == names.JOB_PLURAL else self.pods).append(version)
        if deleted:
            self._present[plural, version.namespace].pop(version.uid, None)
        else:
            self._present[plural, version.namespace][version.uid] = version
        self._changed.set()

    def _all(self, plural: str) -> list[Version]:
        return [version for (kind, _), known in self._present.items() if kind == plural for version in known.values()]

    @asynccontextmanager
    async def recording(self, rest: Rest) -> AsyncIterator["VersionLog"]:
        """Record what happens from now on, until the block ends."""
        plurals = {names.JOB_PLURAL: (JOBS_PATH, ""), "pods": (PODS_PATH, names.LABEL_JOB_UID)}
        versions = {}
        for plural, (path, selector) in plurals.items():
            answer = await rest.send("GET", path, query={"labelSelector": selector})
            assert answer.code == 200, answer
            versions[plural] = answer.body["metadata"]["resourceVersion"]
            for item in answer.body["items"]:
                self.add(plural, item, deleted=False)
        tasks = [
            asyncio.create_task(self._follow(rest, plural, path, selector, versions[plural]))
            for plural, (path, selector) in plurals.items()
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, rest: Rest, plural: str, path: str, selector: str, version: str) -> None:
        """Watch for ever, also past restarts of the API server."""
        while True:
            query = {"resourceVersion": version, "labelSelector": selector, "allowWatchBookmarks": "true"}
            try:
                async for event in rest.watch(path, query=query):
                    if event["type"] == "ERROR":
                        # A restarted API server has forgotten what was before; what happened meanwhile is lost to us.
                        version = await self._list_again(rest, plural, path, selector)
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        self.add(plural, event["object"], deleted=event["type"] == "DELETED")
            except (aiohttp.ClientError, OSError, TimeoutError, msgspec.DecodeError):
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _list_again(self, rest: Rest, plural: str, path: str, selector: str) -> str:
        answer = await rest.send("GET", path, query={"labelSelector": selector})
        if answer.code != 200:
            raise OSError(f"cannot list {plural}: {answer}")
        found = {item["metadata"]["uid"]: item for item in answer.body["items"]}
        for known in self._all(plural):
            if known.uid not in found:
                self.add(plural, known.document, deleted=True)
            elif found[known.uid]["metadata"]["resourceVersion"] == known.metadata["resourceVersion"]:
                del found[known.uid]
        for item in found.values():
            self.add(plural, item, deleted=False)
        return str(answer.body["metadata"]["resourceVersion"])


class History:
    """The exchanges of one proxy, in the order of the requests."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._numbers = itertools.count(1)

    def begin(self, **facts: Any) -> Exchange:
        """Note a request as it comes in."""
        exchange = Exchange(number=next(self._numbers), at=time.time(), **facts)
        self.exchanges.append(exchange)
        return exchange

    def writes(self, namespace: str = "") -> Sequence[Exchange]:
        """Return the requests that asked to change jobs or pods, in one namespace or in all."""
        return [known for known in self.exchanges if known.writes and namespace in ("", known.namespace)]
