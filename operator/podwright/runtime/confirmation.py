"""Reads what is not certain about an object from the API server itself, before anything is decided on it.

Called by the engine, which leaves the object alone until the answer marks it again. An answer only settles what it was asked
for: what became uncertain while it was under way is read next. What could be read counts, whatever became of the rest.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from podwright.core.attempt.refusal_cause import UNANSWERED
from podwright.core.values.ref import Ref
from podwright.runtime.backoff import Backoff
from podwright.runtime.bounded_log import BoundedLog
from podwright.runtime.controllers.controller import Controller
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.lines import Lines
from podwright.runtime.read_places import ReadPlaces

_FAILURES_IN_A_ROW: Final = 3  # then the API server has other troubles, and the rest is left for later

_log = BoundedLog(logging.getLogger(__name__), every=60.0)


class Confirmation:
    """Made once per engine. `mark` asks for an object to be reconciled, `lines` are where those wait whose creations came to nothing."""

    def __init__(
        self,
        *,
        reads: ReadPlaces,
        backoff: Backoff[Ref],
        lines: Lines,
        clock: Callable[[], float],
        mark: Callable[[Ref], None],
    ) -> None:
        self._reads = reads
        self._backoff = backoff
        self._lines = lines
        self._clock = clock
        self._mark = mark

    def read(
        self, ref: Ref, *, place: tuple[str, str], controller: Controller, expectations: Any, term: LeaderTerm
    ) -> None:
        """Read the object and those of its children that its expectations name."""
        expectations.begin(None)
        namespace, name = place

        async def run() -> None:
            failures = in_a_row = 0
            for step in _steps(ref, namespace, name, controller, expectations, term):
                try:
                    await step()
                    in_a_row = 0
                except Exception as error:
                    # An error of ours as well: whatever went wrong, the object waits for an answer, and would for ever.
                    failures, in_a_row = failures + 1, in_a_row + 1
                    _log.log(
                        logging.WARNING,
                        (namespace, type(error)),
                        "cannot read %s %s/%s or a child: %r",
                        ref.kind,
                        namespace,
                        name,
                        error,
                    )
                    if in_a_row >= _FAILURES_IN_A_ROW:
                        break
            expectations.end(None)
            self._wait_in_line(ref, namespace, expectations)
            if failures:
                self._backoff.failed(ref, now=self._clock())
            self._mark(ref)

        self._reads.start(run, namespace=namespace)

    def _wait_in_line(self, ref: Ref, namespace: str, expectations: Any) -> None:
        """Have an object wait whose creation of unknown outcome was found not to have been carried out."""
        for name in expectations.take_unmade():
            expectations.waits_for = UNANSWERED
            self._lines.refused(ref, name, cause=UNANSWERED, namespace=namespace, now=self._clock())


def _steps(
    ref: Ref, namespace: str, name: str, controller: Controller, expectations: Any, term: LeaderTerm
) -> list[Callable[[], Any]]:
    async def itself() -> None:
        expectations.confirm_self = False
        try:
            await controller.reads.read_self(ref, namespace=namespace, name=name)
        except BaseException:
            expectations.confirm_self = True
            raise
        expectations.confirmed_epoch = term.epoch

    async def children() -> None:
        await controller.reads.relist_children(ref, namespace=namespace)
        expectations.relist_children = False

    def child(of_name: str) -> Callable[[], Any]:
        async def one() -> None:
            expectations.confirm_children.discard(of_name)
            try:
                await controller.reads.read_child(ref, namespace=namespace, name=of_name, expectations=expectations)
            except BaseException:
                expectations.confirm_children.add(of_name)
                raise

        return one

    steps: list[Callable[[], Any]] = []
    if expectations.confirm_self:
        steps.append(itself)
    if expectations.relist_children:
        steps.append(children)
    return [*steps, *(child(of_name) for of_name in sorted(expectations.confirm_children))]
