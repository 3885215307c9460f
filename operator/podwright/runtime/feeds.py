"""Where the reflectors' news enters the store. One feed per kind; no decisions, and nothing that can raise."""

import logging
from collections.abc import Sequence

from podwright.core.model.job import JobView
from podwright.core.model.pod import PodView
from podwright.core.values.ref import JOB
from podwright.kube.codecs.page import Undecodable
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.controllers.controller import Engine
from podwright.runtime.metrics import Metrics
from podwright.store.jobs import JobStore

_log = BoundedLog(logging.getLogger(__name__))


class JobFeed:
    """Takes jobs. What cannot be understood is reported, and the picture that was known of it stays."""

    def __init__(self, *, store: JobStore, metrics: Metrics, engine: Engine, namespace: str = "") -> None:
        """Feed the store with the jobs of one namespace, or of all."""
        self._namespace = namespace
        self._store = store
        self._metrics = metrics
        self._engine = engine

    def replaced(self, items: Sequence[JobView | Undecodable], list_resource_version: int) -> None:
        """Take in all jobs."""
        poisoned = [item for item in items if isinstance(item, Undecodable)]
        self._store.replace_jobs(
            (item for item in items if isinstance(item, JobView)),
            list_version=list_resource_version,
            also_present={item.uid for item in poisoned},
            namespace=self._namespace,
        )
        self._engine.listed(JOB, {item.uid for item in items}, namespace=self._namespace, version=list_resource_version)
        for item in poisoned:
            self.undecodable(item)

    def changed(self, item: JobView) -> None:
        """Take in a job."""
        self._store.put_job(item)

    def deleted(self, item: JobView | Undecodable) -> None:
        """Record that a job is gone."""
        self._store.remove_job(item.uid)

    def undecodable(self, item: Undecodable) -> None:
        """Count, log and report a job that cannot be understood."""
        _complain(item, self._metrics)
        self._engine.report(item)


class PodFeed:
    """Takes pods."""

    def __init__(self, *, store: JobStore, metrics: Metrics, namespace: str = "") -> None:
        """Feed the store with the pods of one namespace, or of all."""
        self._namespace = namespace
        self._store = store
        self._metrics = metrics

    def replaced(self, items: Sequence[PodView | Undecodable], list_resource_version: int) -> None:
        """Take in all pods."""
        poisoned = [item for item in items if isinstance(item, Undecodable)]
        self._store.replace_pods(
            (item for item in items if isinstance(item, PodView)),
            list_version=list_resource_version,
            also_present={item.uid for item in poisoned},
            namespace=self._namespace,
        )
        for item in poisoned:
            self.undecodable(item)

    def changed(self, item: PodView) -> None:
        """Take in a pod."""
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

    def undecodable(self, item: Undecodable) -> None:
        """Count and log a pod that cannot be understood; it is as if it had not changed."""
        _complain(item, self._metrics)


def _complain(item: Undecodable, metrics: Metrics) -> None:
    metrics.undecodable(item.kind)
    _log.log(
        logging.ERROR,
        (item.kind, item.uid, item.error),
        "cannot understand %s %s/%s: %s",
        item.kind,
        item.namespace,
        item.name,
        item.error,
    )
