"""Reports on an object's own status that it can't be read, or that our own code failed on it.

Called by the feeds (through the engine) and by the engine at each reconcile. To report is all it does: the object stays as it is, and
is reconciled again when it changes or, after an error of ours, ever more rarely. While an object can't be read nothing is started on
what was known of it before; what is deleted or let go still is.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Final

from podwright.core.commands import ReportProblem
from podwright.core.shard import shard_of
from podwright.core.values.ref import Ref
from podwright.kube.codecs.page import Undecodable
from podwright.kube.responses import ApiResponse
from podwright.runtime.backoff import Backoff
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.controllers.controller import Controller
from podwright.runtime.dispatcher import Dispatcher
from podwright.runtime.lanes import Result
from podwright.runtime.leader_term import LeaderTerms
from podwright.runtime.metrics import Metrics
from podwright.runtime.trouble import is_too_large
from podwright.store.timers import Timers

_PAUSE: Final = 5.0

_log = logging.getLogger(__name__)
_bounded = BoundedLog(_log)


class Problems:
    """Made once per engine."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        controllers: Mapping[str, Controller],
        terms: LeaderTerms,
        backoff: Backoff[Ref],
        timers: Timers[Ref],
        clock: Callable[[], float],
        mark: Callable[[Ref], None],
        metrics: Metrics,
    ) -> None:
        self._dispatcher = dispatcher
        self._controllers = controllers
        self._terms = terms
        self._backoff = backoff
        self._timers = timers
        self._clock = clock
        self._mark = mark
        self._metrics = metrics
        self._unreadable: dict[Ref, Undecodable] = {}
        self._reported: dict[Ref, str] = {}  # the error that an object's status tells

    def refs(self) -> set[Ref]:
        """Return the objects that can't be read."""
        return set(self._unreadable)

    def is_unreadable(self, ref: Ref) -> bool:
        """Return whether the present state of an object can't be read."""
        return ref in self._unreadable

    def undecodable(self, item: Undecodable) -> None:
        """Count and log what can't be read. If it is an object that is decided on, the next reconcile reports it."""
        self._metrics.undecodable(item.kind)
        _bounded.log(
            logging.ERROR,
            (item.kind, item.uid, item.error),
            "cannot understand %s %s/%s: %s",
            item.kind,
            item.namespace,
            item.name,
            item.error,
        )
        ref = Ref(item.kind, item.uid)
        if ref.kind in self._controllers:
            self._unreadable[ref] = item
            self._mark(ref)

    def has_to_report(self, ref: Ref) -> bool:
        """Report an object that can't be read, once per problem, since the report changes the object.

        Returns whether that is still to be done: then nothing is to be decided.
        """
        item = self._unreadable.get(ref)
        if item is None:
            return False
        controller = self._controllers[ref.kind]
        subject = controller.find(ref)
        if controller.is_deleted(ref) or (subject is not None and subject.resource_version > item.resource_version):
            self._forget(ref)
            return False
        if self._reported.get(ref) == item.error:
            return False
        term = self._terms.term(shard_of(namespace=item.namespace, shards=self._terms.shards))
        if term is None:
            return True  # whoever holds the shard reports; when it becomes ours, everything is marked
        expectations = controller.expectations.of(ref)
        blocked = self._backoff.until(ref)
        if blocked > self._clock():
            self._timers.set(ref, blocked)
        elif not expectations.outstanding:
            self._dispatcher.submit(
                ReportProblem(
                    of=ref,
                    namespace=item.namespace,
                    name=item.name,
                    resource_version=item.resource_version,
                    message=f"the operator cannot read this object: {item.error}",
                ),
                controller=controller,
                subject=None,
                expectations=expectations,
                term=term,
                then=functools.partial(self._answered, ref, item),
            )
        return True

    def _answered(self, ref: Ref, item: Undecodable, result: Result) -> None:
        """Be done with it if it was reported, and also if the API server does not want it: asking again would not help."""
        if not isinstance(result, ApiResponse):
            return
        if (result.status >= 500 and not is_too_large(result)) or result.status in (409, 429):
            return
        if result.status == 404:
            # Gone, and nobody will say so: of an object that was never read no deletion is seen in a list.
            self._forget(ref)
        elif ref in self._unreadable:  # else it was deleted, or could be read again, while this was under way
            self._reported[ref] = item.error

    def _forget(self, ref: Ref) -> None:
        self._unreadable.pop(ref, None)
        self._reported.pop(ref, None)

    def listed(self, kind: str, uids: set[str], *, namespace: str, version: int) -> None:
        """Forget the unreadable objects of a kind that vanished while nobody watched."""
        for ref, item in list(self._unreadable.items()):
            if ref.kind != kind or namespace not in ("", item.namespace):
                continue
            if ref.uid not in uids and item.resource_version <= version:
                self._forget(ref)
                self._mark(ref)

    def failed(self, ref: Ref, error: Exception) -> None:
        """Report that a reconcile failed by an error of ours, and have the object tried again later."""
        now = self._clock()
        self._timers.set(ref, self._backoff.failed(ref, now=now, at_least=_PAUSE))
        self._metrics.internal_error()
        controller = self._controllers[ref.kind]
        subject = controller.find(ref)
        where = f"{subject.namespace}/{subject.name}" if subject else ref.uid
        _log.error("cannot reconcile %s %s: %s", ref.kind, where, error, exc_info=error)
        if subject is None:
            return  # there is no status to say it on
        expectations = controller.expectations.of(ref)
        if controller.restore_after(error, expectations=expectations):
            return
        write = controller.with_problem(ref, f"the operator failed on this object and will try again: {error!r}")
        term = self._terms.term(shard_of(namespace=subject.namespace, shards=self._terms.shards))
        if write is not None and term is not None and not expectations.outstanding:
            self._dispatcher.submit(write, controller=controller, subject=subject, expectations=expectations, term=term)
