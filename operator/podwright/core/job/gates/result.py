"""What a gate before a job's first pod may say. Each policy gives one of these; `gate` puts them together."""

import msgspec

from podwright.core.commands import ClaimKey
from podwright.core.model.phase import Phase


class Open(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing holds the job back. `recheck_at` is when that must be asked again, should there still be no pod."""

    recheck_at: float | None = None


class Wait(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The job must wait. `requeue_at` is when to reconcile again without an event, None if an event will come."""

    reason: str
    message: str
    requeue_at: float | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The job is over without ever having had a pod. `duplicate_of` names the job that runs in its place, if any."""

    phase: Phase
    reason: str
    message: str
    duplicate_of: str = ""


class Issue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A write must be answered before more can be said."""

    command: ClaimKey


Gate = Open | Wait | End | Issue
OPEN = Open()
