"""Where the reflectors' news enters the stores: feeds of objects that are decided on, and of their children. Nothing here can raise.

What can't be understood is reported to the engine, and the view that was known of it stays.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from podwright.core.model.pod import PodView
from podwright.kube.codecs.page import Undecodable
from podwright.kube.poison import Steps
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.controllers.controller import Engine
from podwright.store.jobs import JobStore

_log = BoundedLog(logging.getLogger(__name__))


class Replace(Protocol):
    """Puts a full list into a store."""

    def __call__(self, items: Any, /, *, list_version: int, also_present: set[str], namespace: str) -> Steps[None]:
        """Put it there, in steps: what it lacks is gone. `also_present` are the uids of what can't be understood."""
        ...


class ChildFeed:
    """Feeds a store with children; one that can't be understood is as if it had not changed."""

    def __init__(
        self,
        *,
        put: Callable[[Any], None],
        remove: Callable[[str], None],
        replace: Replace,
        engine: Engine,
        namespace: str,
    ) -> None:
        self._put = put
        self._remove = remove
        self._replace = replace
        self._engine = engine
        self._namespace = namespace

    def replaced_in_steps(self, items: list[Any], list_resource_version: int) -> Steps[None]:
        """Record a full list, which is empty afterwards."""
        unreadable = [item for item in items if isinstance(item, Undecodable)]
        uids = {item.uid for item in items}
        yield from self._replace(
            (item for item in _drained(items) if not isinstance(item, Undecodable)),
            list_version=list_resource_version,
            also_present={item.uid for item in unreadable},
            namespace=self._namespace,
        )
        self._listed(uids, list_resource_version)
        for item in unreadable:
            self._engine.report(item)

    def changed(self, item: Any) -> None:
        """Record a child."""
        self._put(item)

    def deleted(self, item: Any) -> None:
        """Record that a child is gone."""
        self._remove(item.uid)

    def undecodable(self, item: Undecodable) -> None:
        """Report a child that can't be understood."""
        self._engine.report(item)

    def _listed(self, uids: set[str], version: int) -> None:
        """Do what a full list calls for besides, before what can't be understood is reported."""


class ObjectFeed(ChildFeed):
    """Feeds a store with the objects of one kind, of one namespace or of all (""); the engine is told what a full list has."""

    def __init__(
        self,
        kind: str,
        *,
        put: Callable[[Any], None],
        remove: Callable[[str], None],
        replace: Replace,
        engine: Engine,
        namespace: str,
    ) -> None:
        super().__init__(put=put, remove=remove, replace=replace, engine=engine, namespace=namespace)
        self._kind = kind
        self.version = 0
        """The store has everything of the collection up to this resourceVersion."""

    def changed(self, item: Any) -> None:
        """Record an object."""
        self._put(item)
        self.version = item.resource_version  # a watch keeps the order

    def _listed(self, uids: set[str], version: int) -> None:
        self.version = version
        self._engine.listed(self._kind, uids, namespace=self._namespace, version=version)


class PodFeed(ChildFeed):
    """Feeds the store of jobs with their pods."""

    def __init__(self, *, store: JobStore, engine: Engine, namespace: str) -> None:
        super().__init__(
            put=store.put_pod,
            remove=store.remove_pod_by_uid,
            replace=store.replace_pods,
            engine=engine,
            namespace=namespace,
        )
        self._store = store

    def changed(self, item: PodView) -> None:
        """Record a pod."""
        if not item.job_uid:
            _log.log(
                logging.WARNING,
                ("nobody's", item.namespace),
                "pod %s/%s has a label of Podwright's but its marks are those of no job: it is left alone",
                item.namespace,
                item.name,
            )
        self._store.put_pod(item)

    def deleted(self, item: PodView | Undecodable) -> None:
        """Record that a pod is gone."""
        if isinstance(item, PodView) and item.held and item.deletion_requested is None:
            # What a finalizer holds can't be gone before its deletion is on record: it lost the label that the watch selects.
            self._store.lose_sight(item)
        elif isinstance(item, PodView):
            self._store.remove_pod(item)
        else:
            self._store.remove_pod_by_uid(item.uid)


def _drained(items: list[Any]) -> Iterator[Any]:
    """Yield the items, and take each out: to free tens of thousands at once, as most are known already, would hold up the loop."""
    items.reverse()
    while items:
        yield items.pop()


class ObjectFeeds:
    """The feeds of one kind, made by `make` for each namespace that is watched, or for all ("")."""

    def __init__(self, make: Callable[[str], ObjectFeed]) -> None:
        self._make = make
        self._feeds: dict[str, ObjectFeed] = {}

    def add(self, namespace: str) -> ObjectFeed:
        """Make one."""
        feed = self._feeds[namespace] = self._make(namespace)
        return feed

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the namespaces that are watched; "" stands for all."""
        return tuple(self._feeds)

    def version(self, namespace: str) -> int:
        """Return the resourceVersion up to which the store has everything of a namespace."""
        feed = self._feeds.get("") or self._feeds.get(namespace)
        return 0 if feed is None else feed.version
