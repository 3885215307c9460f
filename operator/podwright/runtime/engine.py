"""The loop at the heart of the operator: what changed → what it calls for → writes. One thread, one event loop, no IO here.

Reflectors and responses change the stores, which mark objects; the engine reconciles each marked object once: it asks the object's
controller what to do, and has the commands carried out (`dispatcher`). While a response about an object is outstanding, the
object is left alone; what is not certain is read first (`confirmation`). Nothing may be decided from the event that caused a
reconcile, only from the state. The engine knows no kind: it walks the controllers that were registered.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Final

from podwright.core.commands import Command, Confirm, CreateChild, WriteStatus, is_child_change
from podwright.core.shard import shard_of
from podwright.core.values.ref import Ref
from podwright.kube.codecs.page import Undecodable
from podwright.runtime.cleanup import Cleanup
from podwright.runtime.confirmation import Confirmation
from podwright.runtime.controllers.controller import Controller, Reflected, Subject
from podwright.runtime.dispatcher import Dispatcher
from podwright.runtime.leader_term import LeaderTerm, LeaderTerms
from podwright.runtime.lines import Lines
from podwright.runtime.metrics import Metrics
from podwright.runtime.problems import Problems
from podwright.runtime.read_places import ReadPlaces
from podwright.runtime.responses import Responses
from podwright.runtime.writer import Writer
from podwright.store.expectations import Expectations
from podwright.store.timers import Timers
from podwright.store.work_queue import WorkQueue

_TURN: Final = 0.01  # seconds of reconciles; then other tasks of the loop (lease renewal, watches) get their turn
_MARKED_AT_ONCE: Final = 1_000
_LONGEST_WAIT: Final = 10.0  # seconds; so late, at most, is it noticed that the clock was set
_SET_BACK: Final = 1.0  # seconds; less is what clocks are slewed by, and delays nothing that matters

_log = logging.getLogger(__name__)


class Engine:
    """Decides on the objects of the shards that are held, of all kinds that are registered."""

    def __init__(
        self,
        *,
        writer: Writer,
        reads: ReadPlaces,
        terms: LeaderTerms,
        clock: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._terms = terms
        self._clock = clock
        self._metrics = metrics
        self._controllers: dict[str, Controller] = {}
        self._queue = WorkQueue[Ref]()
        self._to_mark: Iterator[Ref] = iter(())
        self._timers = Timers[Ref]()
        self._cleanup = Cleanup()
        self._wake = asyncio.Event()
        self._latest = clock()
        self._lines = Lines(wake=self._mark_at)
        responses = Responses(metrics=metrics, lines=self._lines, failed=self._failed)
        self._backoff = responses.backoff
        self._dispatcher = Dispatcher(
            writer=writer,
            terms=terms,
            responses=responses,
            cleanup=self._cleanup,
            lines=self._lines,
            timers=self._timers,
            clock=clock,
            mark=self.mark,
        )
        self._confirmation = Confirmation(
            reads=reads, backoff=self._backoff, lines=self._lines, clock=clock, mark=self.mark
        )
        self._problems = Problems(
            dispatcher=self._dispatcher,
            controllers=self._controllers,
            terms=terms,
            backoff=self._backoff,
            timers=self._timers,
            clock=clock,
            mark=self.mark,
            metrics=metrics,
        )

    def register(self, controller: Controller) -> None:
        """Have the objects of a kind reconciled."""
        self._controllers[controller.kind] = controller

    def reflected(self) -> tuple[Reflected, ...]:
        """Return all collections that must be mirrored for the controllers."""
        return tuple(one for controller in self._controllers.values() for one in controller.reflected())

    def mark(self, ref: Ref) -> None:
        """Ask for an object to be reconciled."""
        self._queue.add(ref)
        self._wake.set()

    def mark_all(self) -> None:
        """Ask for every object to be reconciled: after a shard was gained. They are marked in pieces, as there may be many."""
        kinds = [controller.refs() for controller in self._controllers.values()]
        self._to_mark = chain(*kinds, tuple(self._problems.refs()))
        self._wake.set()

    def begin_term(self, term: LeaderTerm) -> None:
        """Reconcile everything: a shard was gained. What is known may be older than what the former leader did last."""
        for controller in self._controllers.values():
            controller.cache_check.begin(term)
        self.mark_all()

    def report(self, item: Undecodable) -> None:
        """Report, on its status, that an object can't be read."""
        self._problems.undecodable(item)

    def listed(self, kind: str, uids: set[str], *, namespace: str, version: int) -> None:
        """Forget unreadable objects that a full list no longer holds."""
        self._problems.listed(kind, uids, namespace=namespace, version=version)

    def put_off(self, ref: Ref) -> None:
        """Leave an object alone for a while."""
        self._backoff.failed(ref, now=self._clock())

    def child_ended(self, namespace: str) -> None:
        """Record that a child stopped using its namespace's quota."""
        self._lines.child_ended(namespace=namespace, now=self._clock())

    async def run(self) -> None:
        """Reconcile what is marked until cancelled."""
        while True:
            began = time.monotonic()
            self._watch_the_clock()
            to_mark = tuple(islice(self._to_mark, _MARKED_AT_ONCE))
            for ref in (
                *to_mark,
                *self._timers.pop_due(self._clock(), most=_MARKED_AT_ONCE),
                *self._cleanup.admitted(),
            ):
                self._queue.add(ref)
            while self._queue:
                self._reconcile_safely(self._queue.pop())
                if time.monotonic() - began > _TURN:
                    break
            rest = self._work_off()
            self._metrics.turn(time.monotonic() - began)
            if self._queue or to_mark or self._cleanup.ready or rest <= 0.0:
                await asyncio.sleep(0)
                continue
            await self._wait(longest=rest)

    def _work_off(self) -> float:
        """Do a piece of the work that no decision waits for; return for how many seconds there is no more of it."""
        due = [when for each in self._controllers.values() if (when := each.work_off(time.monotonic)) is not None]
        return min(_LONGEST_WAIT, min(due) - time.monotonic()) if due else _LONGEST_WAIT

    async def _wait(self, *, longest: float) -> None:
        self._wake.clear()
        due = self._timers.next_at()
        timeout = longest if due is None else min(longest, max(0.0, due - self._clock()))
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass  # a timer is due

    def _watch_the_clock(self) -> None:
        """Let nobody wait for a time that was recorded by a clock which has been set back since."""
        now = self._clock()
        if now < self._latest - _SET_BACK:
            _log.warning("the clock was set back by %.0f s", self._latest - now)
            self._latest = now
            self._backoff.forget()
            self._lines.set_back(now)
            for controller in self._controllers.values():
                controller.clock_set_back(now)
                controller.expectations.set_back(now)
            self.mark_all()
        self._latest = max(self._latest, now)

    def _mark_at(self, ref: Ref, when: float) -> None:
        if when <= self._clock():
            self.mark(ref)
        else:
            self._timers.bring_forward(ref, when)
            self._wake.set()

    def _failed(self, ref: Ref, error: Exception) -> None:
        self._problems.failed(ref, error)
        self._lines.step_back(ref, now=self._clock())

    def _reconcile_safely(self, ref: Ref) -> None:
        try:
            self._reconcile(ref)
        except Exception as error:
            # One object that breaks our code must not stop the others; it is tried again, ever more rarely.
            self._failed(ref, error)

    def _reconcile(self, ref: Ref) -> None:
        now = self._clock()
        controller = self._controllers[ref.kind]
        if self._problems.has_to_report(ref):
            self._lines.step_back(ref, now=now)
            return  # what can't be read is reported first
        subject = controller.find(ref)
        place = controller.place_of(ref) if subject is None else (subject.namespace, subject.name)
        if place is None:
            self._forget(ref, controller)
            return
        term = self._terms.term(shard_of(namespace=place[0], shards=self._terms.shards))
        if term is None:
            return  # whoever holds the shard reconciles; when it becomes ours, everything is marked
        expectations = controller.expectations.of(ref)
        if expectations.exclusive or (expectations.outstanding and controller.takes_turns(ref)):
            return  # the response marks the object again
        blocked = self._backoff.until(ref)
        if blocked > now:
            self._timers.set(ref, blocked)
            self._lines.step_back(ref, now=now)
            return
        if subject is None and not controller.is_deleted(ref):
            expectations.confirm_self = True
        ready = controller.prepare(ref, expectations=expectations)
        if expectations.must_confirm:
            if expectations.confirm_children:
                self._lines.step_back(ref, now=now)
            self._confirmation.read(ref, place=place, controller=controller, expectations=expectations, term=term)
            return
        if ready:
            self._decide(ref, subject, controller, expectations=expectations, term=term, namespace=place[0], now=now)

    def _decide(
        self,
        ref: Ref,
        subject: Subject | None,
        controller: Controller,
        *,
        expectations: Any,
        term: LeaderTerm,
        namespace: str,
        now: float,
    ) -> None:
        granted = self._lines.granted(ref, cause=expectations.waits_for, namespace=namespace, now=now)
        decision = controller.decide(
            ref,
            expectations=expectations,
            term=term,
            granted=granted,
            room=0 if granted == 0 else self._dispatcher.room(expectations, namespace=namespace),
            now=now,
        )
        commands = decision.commands
        if self._problems.is_unreadable(ref):
            commands = tuple(command for command in commands if _lets_go(command))
        self._timers.set(ref, decision.requeue_at)
        if granted is not None and not decision.postponed:
            self._keep_in_line(ref, commands, expectations=expectations, granted=granted, now=now)
        self._metrics.decided(len(commands))
        if commands:
            self._dispatcher.issue(
                commands, controller=controller, subject=subject, expectations=expectations, term=term, now=now
            )
        else:
            self._dispatcher.updates.discard(ref)
            if controller.is_over(ref):
                controller.expectations.drop(ref)

    def _keep_in_line(
        self, ref: Ref, commands: tuple[Command, ...], *, expectations: Expectations, granted: int, now: float
    ) -> None:
        """Have an object leave its line when it asks for nothing; else see to its next turn.

        One that writes its status first keeps its place: what it does next hangs on that, such as an intent that must be on record.
        """
        if granted and not any(_may_lead_to_a_child(command) for command in commands):
            if not expectations.creating:
                expectations.waits_for = ""
                self._lines.leave(ref, now=now)
            return
        next_at = self._lines.next_at(ref, now=now)
        if next_at is not None and next_at > now:
            self._timers.bring_forward(ref, next_at)

    def _forget(self, ref: Ref, controller: Controller) -> None:
        self._timers.set(ref, None)
        self._backoff.succeeded(ref)
        self._dispatcher.updates.discard(ref)
        self._lines.leave(ref, now=self._clock())
        controller.expectations.drop(ref, gone=True)
        controller.forget(ref)


def _may_lead_to_a_child(command: Command) -> bool:
    return isinstance(command, CreateChild) or (isinstance(command, WriteStatus) and not command.deferrable)


def _lets_go(command: Command) -> bool:
    """Return whether a command is safe for an object that can't be read at present: nothing is started on an old picture."""
    return isinstance(command, Confirm) or is_child_change(command)
