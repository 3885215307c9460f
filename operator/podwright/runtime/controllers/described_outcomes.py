"""What becomes of the writes for a described kind: what was written goes into its store, and who is refused waits for a while."""

from typing import Any

from podwright.core.commands import Command, Confirm, CreateChild, Delete, Release, WriteStatus
from podwright.kube.codecs.answer import decode_version
from podwright.kube.errors import StatusError
from podwright.runtime.controllers.controller import Engine, Subject
from podwright.runtime.controllers.described_api import view_of
from podwright.runtime.controllers.description import Description
from podwright.runtime.lanes import Result
from podwright.runtime.leader_term import LeaderTerm
from podwright.runtime.lines import QUOTA
from podwright.store.expectations import Expectations
from podwright.store.objects import ObjectStore


class DescribedOutcomes:
    """Made once per controller."""

    def __init__(self, description: Description, *, store: ObjectStore[Any, Any], engine: Engine) -> None:
        self._about = description
        self._store = store
        self._engine = engine

    def begin(self, command: Command, *, expectations: Expectations, term: LeaderTerm) -> None:
        """Nothing more is recorded."""

    def succeeded(
        self, command: Command, *, before: Subject | None, body: bytes, expectations: Expectations, now: float
    ) -> None:
        """Put what was written into the store."""
        match command:
            case CreateChild():
                self._store.put_child(view_of(self._about.child_decoder, body))
            case WriteStatus():
                subject = self._store.object(command.of.uid)
                if subject is not None and subject.resource_version == command.resource_version:
                    version = decode_version(body)
                    self._store.put(self._about.with_status(subject, command.status, version))
            case Delete() if command.target == command.of:
                self._store.remove(command.of.uid)
            case Delete() | Release():
                expectations.confirm_children.add(command.name)

    def not_created(self, command: CreateChild, *, expectations: Expectations) -> None:
        """Nothing is to be taken back."""

    def refused(self, command: CreateChild, *, error: StatusError, expectations: Expectations, now: float) -> str:
        """Leave the object alone for a while."""
        self._engine.put_off(command.of)
        return QUOTA if "exceeded quota" in error.message else ""

    def status_refused(self, command: WriteStatus, *, error: StatusError, expectations: Expectations) -> None:
        """Nothing hangs on it."""

    def status_too_large(self, command: WriteStatus, *, expectations: Expectations, now: float) -> None:
        """Leave the object alone for a while."""
        self._engine.put_off(command.of)

    def confirming(self, command: Confirm, *, expectations: Expectations) -> None:
        """Nothing hangs on it."""

    def ended(self, command: Command, *, result: Result, expectations: Expectations, now: float) -> None:
        """Nothing hangs on it."""
