"""What the response to a write means: success goes into the store at once, anything unclear must be confirmed, or is waited for.

Called by the dispatcher only. It never repeats a request; it changes what the next reconcile sees.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from podwright.core.attempt.refusal import denied_by_webhook
from podwright.core.commands import (
    ClaimKey,
    Command,
    CreateChild,
    ReportProblem,
    Unknown,
    WriteStatus,
    unknown_outcome,
)
from podwright.core.values.ref import Ref
from podwright.kube.errors import DecodeError, StatusError, parse_status
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.backoff import Backoff
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.controllers.controller import Controller, Subject
from podwright.runtime.lanes import HELD_BACK, Result, Withheld
from podwright.runtime.lines import Lines
from podwright.runtime.metrics import Metrics
from podwright.runtime.trouble import admission_failed, is_too_large

_REFUSED_PAUSE: Final = 5.0
_FENCED_PAUSE: Final = 0.5

_log = logging.getLogger(__name__)


class Responses:
    """Takes responses in. `backoff` holds the objects that must be left alone for a while (Unix seconds).

    `failed` is called with errors of ours.
    """

    def __init__(self, *, metrics: Metrics, lines: Lines, failed: Callable[[Ref, Exception], None]) -> None:
        self._metrics = metrics
        self._lines = lines
        self._failed = failed
        self._bounded = BoundedLog(_log)
        self.backoff: Backoff[Ref] = Backoff()

    def take(
        self,
        command: Command,
        *,
        controller: Controller,
        before: Subject | None,
        result: Result,
        expectations: Any,
        now: float,
    ) -> None:
        """Record the result of one command that was decided on this snapshot of its object."""
        self._metrics.answered(command, result, before=before)
        if isinstance(command, WriteStatus) and not (isinstance(result, ApiResponse) and result.status < 300):
            self._lines.step_back(command.of, now=now)
        if isinstance(command, CreateChild) and _surely_not_created(result):
            controller.outcomes.not_created(command, expectations=expectations)
        if isinstance(result, Withheld):
            if result.error is not None:
                self._failed(command.of, result.error)
            if isinstance(command, CreateChild) and result is not HELD_BACK:
                self._lines.step_back(command.of, now=now)
            return
        if isinstance(result, ApiResponse) and result.status < 300:
            try:
                self._success(
                    command,
                    controller=controller,
                    before=before,
                    body=result.body,
                    expectations=expectations,
                    now=now,
                )
            except DecodeError as error:
                _log.warning("cannot understand the response to a %s: %s", type(command).__name__, error)
                self._unknown(command, expectations=expectations, now=now)
                self.backoff.failed(command.of, now=now)
            else:
                self.backoff.succeeded(command.of)
        elif isinstance(command, WriteStatus) and is_too_large(result):
            self._metrics.status_too_large()
            self._bounded.log(
                logging.ERROR,
                ("too large", command.of.kind, command.namespace),
                "the status of %s %s/%s doesn't fit beside it: its spec, labels, annotations or managed fields are too large",
                command.of.kind,
                command.namespace,
                command.name,
            )
            controller.outcomes.status_too_large(command, expectations=expectations, now=now)
        elif isinstance(result, ApiResponse) and (admission_failed(result) or is_too_large(result)):
            refusal = parse_status(result.status, result.body)
            self._failure(command, controller=controller, error=refusal, expectations=expectations, now=now)
        elif isinstance(result, Ambiguous) or (isinstance(result, ApiResponse) and result.status >= 500):
            # A server error does not tell whether the write was carried out either.
            self._unknown(command, expectations=expectations, now=now)
            if isinstance(command, CreateChild) and isinstance(result, ApiResponse):
                # The server's words are told; that the pod may exist stays expected until it was read.
                words = parse_status(result.status, result.body)
                controller.outcomes.refused(command, error=words, expectations=expectations, now=now)
            self._lines.step_back(command.of, now=now)
            self.backoff.failed(command.of, now=now, at_least=_pause(result))
        elif isinstance(result, Unsent) or result.status == 429:
            self.backoff.failed(command.of, now=now, at_least=_pause(result))
        else:
            refusal = parse_status(result.status, result.body)
            self._failure(command, controller=controller, error=refusal, expectations=expectations, now=now)

    def broke(self, command: Command, *, error: Exception, expectations: Any, now: float) -> None:
        """Record that an error of ours kept a result from being taken in: what was written must be read."""
        self._unknown(command, expectations=expectations, now=now)
        expectations.confirm_self = True
        if isinstance(command, ReportProblem):
            # To report this as well would ask for the same again.
            _log.error("cannot take in what became of a report on %s: %s", command.of.uid, error, exc_info=error)
            self.backoff.failed(command.of, now=now, at_least=_REFUSED_PAUSE)
        else:
            self._failed(command.of, error)

    def _success(
        self,
        command: Command,
        *,
        controller: Controller,
        before: Subject | None,
        body: bytes,
        expectations: Any,
        now: float,
    ) -> None:
        controller.outcomes.succeeded(command, before=before, body=body, expectations=expectations, now=now)
        if isinstance(command, CreateChild):
            expectations.created(command.name)
            self._lines.let_in(command.of, command.name, namespace=command.namespace, now=now)
        elif unknown_outcome(command) is Unknown.CHILD:
            expectations.child_accepted(command.name)

    def _unknown(self, command: Command, *, expectations: Any, now: float) -> None:
        if isinstance(command, CreateChild):
            expectations.creation_unknown(command, now=now)
            self._lines.unanswered(command.name, namespace=command.namespace, now=now)
            return
        match unknown_outcome(command):
            case Unknown.CHILD:
                expectations.confirm_children.add(command.name)
            case Unknown.SELF:
                expectations.confirm_self = True
            case Unknown.KEY:
                expectations.key_doubtful = True
            case Unknown.NOTHING:
                pass

    def _failure(
        self, command: Command, *, controller: Controller, error: StatusError, expectations: Any, now: float
    ) -> None:
        if isinstance(command, CreateChild):
            self._not_created(command, controller=controller, error=error, expectations=expectations, now=now)
            return
        what = unknown_outcome(command)
        stale = error.code in (404, 409)
        if isinstance(command, ClaimKey):
            expectations.key_doubtful = error.code == 409
            if error.code == 409:
                return  # somebody has it: no failure, but to be read at once
        elif what is Unknown.CHILD:
            expectations.confirm_children.add(command.name)
            if not stale:
                # One child that may not be changed is no trouble of the others, nor of the object itself.
                child = expectations.child_refused(command.name, message=error.message, now=now)
                self._log_refusal(command, error, f"tried {child.count} times, again in {child.until - now:.0f} s")
                return
        elif what is Unknown.SELF:
            expectations.confirm_self = True
            if isinstance(command, WriteStatus):
                controller.outcomes.status_refused(command, error=error, expectations=expectations)
        if stale:
            self.backoff.failed(command.of, now=now)
        else:
            self._log_refusal(command, error, "it is tried again")
            self.backoff.failed(command.of, now=now, at_least=_REFUSED_PAUSE)

    def _not_created(
        self, command: CreateChild, *, controller: Controller, error: StatusError, expectations: Any, now: float
    ) -> None:
        if _is_taken(error):
            expectations.name_was_taken(command.name)
        elif error.fenced:
            self._metrics.fenced()
            self._bounded.log(
                logging.WARNING, "fenced", "the admission policy refused a pod of this epoch: %s", error.message
            )
            self.backoff.failed(command.of, now=now, at_least=_FENCED_PAUSE)
        elif error.code in (404, 409) and not denied_by_webhook(error.message):
            expectations.confirm_self = True
            self.backoff.failed(command.of, now=now, at_least=_FENCED_PAUSE)
        else:
            cause = controller.outcomes.refused(command, error=error, expectations=expectations, now=now)
            expectations.waits_for = cause
            if cause:
                self._lines.refused(command.of, command.name, cause=cause, namespace=command.namespace, now=now)

    def _log_refusal(self, command: Command, error: StatusError, outlook: str) -> None:
        self._bounded.log(
            logging.ERROR,
            (command.of, command.name, type(command), error.code),
            "%s of %s/%s was refused, and %s: %s",
            type(command).__name__,
            command.namespace,
            command.name,
            outlook,
            error,
        )


def _surely_not_created(result: Result) -> bool:
    """Return whether a request to create an object was surely not carried out, so that it may be made once more.

    That an object of the name exists already proves nothing: the API server, etcd's client or a proxy may have made the request twice.
    """
    if isinstance(result, ApiResponse):
        if result.status == 409 and _is_taken(parse_status(result.status, result.body)):
            return False
        return 400 <= result.status < 500 or admission_failed(result) or is_too_large(result)
    return not isinstance(result, Ambiguous)


def _is_taken(error: StatusError) -> bool:
    return error.code == 409 and error.reason == "AlreadyExists" and not denied_by_webhook(error.message)


def _pause(result: Result) -> float:
    if isinstance(result, ApiResponse) and result.retry_after is not None:
        return result.retry_after
    return 0.0
