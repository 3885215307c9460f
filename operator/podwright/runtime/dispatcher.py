"""Carries out what was decided: leaves a permit with the writer, or has the command wait, or first asks what it hangs on.

Called by the engine with the commands of each decision, and by the writer with the responses. It decides nothing about an object
and repeats nothing: whatever comes of a command, its object is marked, and the next reconcile sees the new state.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, Final

from podwright.core.commands import (
    RULES,
    Command,
    Confirm,
    CreateChild,
    ReportProblem,
    WriteStatus,
    is_child_change,
    is_cleanup,
    rank_of,
)
from podwright.core.values.ref import Ref
from podwright.kube.codecs.requests import ApiRequest
from podwright.runtime.cleanup import Cleanup
from podwright.runtime.controllers.controller import Controller, Subject
from podwright.runtime.lanes import HELD_BACK, NOT_LEADER, OVERTAKEN, Permit, Result, Withheld
from podwright.runtime.leader_term import LeaderTerm, LeaderTerms
from podwright.runtime.lines import Lines
from podwright.runtime.responses import Responses
from podwright.runtime.status_updates import PendingUpdates
from podwright.runtime.writer import Writer
from podwright.store.expectations import Expectations
from podwright.store.timers import Timers

MOST_CREATIONS: Final = 1000
"""Creations of one object that may wait for a place; the next reconcile asks for more. Each takes about a kilobyte."""
FEW_CREATIONS: Final = 16
"""The same while as many wait already as can be sent soon."""
_ROUNDS: Final = 8
"""Times as many creations of a namespace may wait as may be under way: enough until its objects are reconciled again."""
_OF_STATUS: Final = (WriteStatus, ReportProblem)


class Dispatcher:
    """Made once per engine. `mark` asks for an object to be reconciled."""

    def __init__(
        self,
        *,
        writer: Writer,
        terms: LeaderTerms,
        responses: Responses,
        cleanup: Cleanup,
        lines: Lines,
        timers: Timers[Ref],
        clock: Callable[[], float],
        mark: Callable[[Ref], None],
    ) -> None:
        self._writer = writer
        self._terms = terms
        self._responses = responses
        self._cleanup = cleanup
        self._lines = lines
        self._timers = timers
        self._clock = clock
        self._mark = mark
        self.updates = PendingUpdates()
        writer.on_idle = self._tell

    def room(self, expectations: Expectations, *, namespace: str) -> int:
        """Return how many more creations of an object may wait for a place.

        More than can be sent soon would only have to be decided, and to be taken back, where a quota refuses the first of them.
        """
        waiting, places = self._writer.queued(namespace)
        most = min(MOST_CREATIONS, max(FEW_CREATIONS, _ROUNDS * places - waiting))
        return max(0, most - expectations.creating)

    def issue(
        self,
        commands: tuple[Command, ...],
        *,
        controller: Controller,
        subject: Subject | None,
        expectations: Any,
        term: LeaderTerm,
        now: float,
    ) -> None:
        """Carry out commands that were just decided on this snapshot of an object, but for those that must not be yet."""
        for command in commands:
            if isinstance(command, WriteStatus) and command.deferrable:
                break
        else:
            self.updates.discard(commands[0].of)
        for command in commands:
            self._issue(command, controller=controller, subject=subject, expectations=expectations, term=term, now=now)

    def _issue(
        self,
        command: Command,
        *,
        controller: Controller,
        subject: Subject | None,
        expectations: Any,
        term: LeaderTerm,
        now: float,
    ) -> None:
        of = command.of
        if isinstance(command, Confirm):
            if expectations.asks_again(command.name, version=subject.resource_version if subject is not None else 0):
                self._responses.backoff.failed(
                    of, now=now
                )  # the answer changed nothing: to ask at once would go on for ever
            expectations.confirm_children.add(command.name)
            controller.outcomes.confirming(command, expectations=expectations)
            self._mark(of)
        elif isinstance(command, WriteStatus) and command.deferrable and self._puts_off(of):
            self.updates.add(of, now=time.monotonic())
        elif is_child_change(command) and now < expectations.refused_until(command.name):
            self._timers.bring_forward(of, expectations.refused_until(command.name))
        elif (
            isinstance(command, CreateChild)
            and subject is not None
            and not _confirmed(subject, controller, expectations, term)
        ):
            if not controller.cache_check.waits(of, term):
                expectations.confirm_self = True
                self._mark(of)
        elif not controller.may_send(command, expectations=expectations, term=term, now=now):
            pass  # the controller has seen to it that it is decided again
        elif is_cleanup(command) and not self._cleanup.begin(of):
            pass  # it waits in line
        else:
            self.submit(command, controller=controller, subject=subject, expectations=expectations, term=term)

    def submit(
        self,
        command: Command,
        *,
        controller: Controller,
        subject: Subject | None,
        expectations: Any,
        term: LeaderTerm,
        then: Callable[[Result], None] | None = None,
    ) -> None:
        """Leave a permit for a command that writes. `then` is told what became of it."""
        expectations.begin(command)
        controller.outcomes.begin(command, expectations=expectations, term=term)
        self._writer.submit(
            Permit(
                namespace=command.namespace,
                rank=rank_of(command),
                priority=controller.priority_of(command.of),
                build=functools.partial(self._build, command, controller, subject, term),
                done=functools.partial(self._done, command, controller, subject, then),
                admitted=_is_admitted(command),
                size=controller.size_of(command),
            )
        )

    def _build(
        self, command: Command, controller: Controller, subject: Subject | None, term: LeaderTerm
    ) -> ApiRequest | Withheld:
        held = self._terms.term(term.shard)
        if held is None or held.epoch != term.epoch:
            return NOT_LEADER
        # A write may wait long in a burst; what was decided on an older snapshot, and hangs on what has changed, is decided again.
        if RULES[type(command)].overtaken and not controller.still_wanted(command, decided_on=subject):
            return OVERTAKEN
        request = controller.request(command, term=term)
        if isinstance(command, CreateChild) and not self._lines.begin(command.of, command.name, now=self._clock()):
            return HELD_BACK
        return request

    def _done(
        self,
        command: Command,
        controller: Controller,
        subject: Subject | None,
        then: Callable[[Result], None] | None,
        result: Result,
    ) -> None:
        expectations = controller.expectations.of(command.of)
        expectations.end(command)
        if is_cleanup(command):
            self._cleanup.end()
        now = self._clock()
        try:
            self._responses.take(
                command, controller=controller, before=subject, result=result, expectations=expectations, now=now
            )
            controller.outcomes.ended(command, result=result, expectations=expectations, now=now)
            if then is not None:
                then(result)
        except Exception as error:
            # One response that breaks our code must not be forgotten, nor stop the writer.
            self._responses.broke(command, error=error, expectations=expectations, now=now)
        finally:
            if isinstance(command, CreateChild):
                # Nothing if it was counted: others must not wait for a place that nobody gives back.
                self._lines.ended(command.of, command.name, namespace=command.namespace, now=now)
            self._mark(command.of)

    def _puts_off(self, of: Ref) -> bool:
        return not self.updates.take_grant(of) and self._writer.busy

    def _tell(self, places: int) -> None:
        """Have objects reconciled whose status updates can be written now."""
        if len(self.updates):
            for ref in self.updates.grant(places, now=time.monotonic()):
                self._mark(ref)


def _confirmed(subject: Subject, controller: Controller, expectations: Expectations, term: LeaderTerm) -> bool:
    """Return whether the snapshot is surely as new as anything the shard's former holder did."""
    return (
        subject.resource_version > term.baseline
        or expectations.confirmed_epoch == term.epoch
        or controller.seen(subject.namespace) >= term.baseline
        or controller.cache_check.has_confirmed(subject.uid, term)
    )


def _is_admitted(command: Command) -> bool:
    """Return whether admission that tenants may have a hand in has a say in the write: of pods, and of all else but our own status."""
    return not isinstance(command, _OF_STATUS)
