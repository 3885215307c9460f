"""What a decision asks to be written, as data, for objects of any kind. The runtime turns each into one API request.

All commands of one decision are independent of each other and may run in any order: what must come later is only
decided once the earlier write is seen in the state. Every command is safe to repeat, and carries the precondition
(deterministic name, uid or resourceVersion) that makes it harmless when its picture of the world is old.

`of` is the object that was decided on. Policies make commands through the builders of their kind (`core.job.pod.attempt_pod`,
`core.job.status`, `core.attempt.termination`), which know the type of what is `Any` here; `RULES` says how each is carried out.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from podwright.core.values.ref import Ref


class CreateChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Create an object that `of` will own; the name is the lock. `spec` is what the child's kind builds the object from."""

    of: Ref
    kind: str
    namespace: str
    name: str
    spec: Any


class WriteStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Replace the status if the object's `resourceVersion` is still the one that was decided on.

    `deferrable` marks a write that only informs people: it is sent when no more important write waits, and only the newest
    per object is.
    """

    of: Ref
    namespace: str
    name: str
    resource_version: int
    status: Any
    deferrable: bool = False


class Delete(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Delete exactly this object: a child, or the very object that was decided on.

    Attributes:
        of: the object that was decided on.
        target: what is deleted (uid precondition).
        namespace: where it is.
        name: its name.
        resource_version: if given, it must still be this version (a second precondition).
        grace: in seconds; None leaves the object's own.
        cleanup: it has ended and is only no longer wanted; its deletion may wait for everything else.
    """

    of: Ref
    target: Ref
    namespace: str
    name: str
    resource_version: int | None = None
    grace: int | None = None
    cleanup: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Take our finalizer off exactly this child; only allowed once its end is recorded or its owner is gone."""

    of: Ref
    target: Ref
    namespace: str
    name: str


class PatchChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Put marks back that a child lost: labels, and with `owner` the reference to it.

    `resource_version`, if given, must still be the child's: somebody who took a mark off on purpose meanwhile is not overruled.
    """

    of: Ref
    target: Ref
    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...]
    owner: str = ""
    resource_version: int | None = None


class Confirm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Ask the API server itself for a child that status knows and the cache does not: an absence in a cache proves nothing."""

    of: Ref
    kind: str
    namespace: str
    name: str


class ReportProblem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Say on the status of an object that can't be read what is wrong with it, and change nothing else."""

    of: Ref
    namespace: str
    name: str
    resource_version: int
    message: str


class ClaimKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Make an object the holder of its idempotency key: create the key's Lease, or take over one whose time is over.

    `window` is the holder's `dedupWindow` in seconds, `at` the time of the decision. `replaced_uid` and `replaced_version` are
    those of the very Lease that was judged to be over; empty to create one.
    """

    of: Ref
    namespace: str
    name: str
    lease_name: str
    window: float
    at: float
    replaced_uid: str = ""
    replaced_version: str = ""


Command = CreateChild | WriteStatus | Delete | Release | PatchChild | Confirm | ReportProblem | ClaimKey


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The result of reconciling one object: what to write now, and when to reconcile again without an event (Unix seconds).

    `postponed` says that nothing was decided as it is too early for it, so that nothing follows from what is missing here.
    """

    commands: tuple[Command, ...] = ()
    requeue_at: float | None = None
    postponed: bool = False


class Rank(enum.IntEnum):
    """Which writes go first while many wait: finishing work before starting more, then news for people, tidying up last."""

    VERDICT = 0
    CREATE = 1
    RELEASE = 2
    NEWS = 3
    CLEANUP = 4


class Precondition(enum.Enum):
    """What makes a command harmless when it is late, repeated, or decided on an old picture."""

    NAME = "Name"  # an object of that name must not exist
    UID = "Uid"
    VERSION = "Version"
    NONE = "None"  # it writes nothing


class Unknown(enum.Enum):
    """What must be re-read before the next decision if it is not known whether a command was carried out."""

    CHILD = "Child"
    SELF = "Self"
    KEY = "Key"
    NOTHING = "Nothing"


class Rule(msgspec.Struct, frozen=True, gc=False):
    """How commands of one type are carried out. `rank` is for those of them that say nothing else of their urgency.

    `overtaken` says that the command is decided anew, rather than sent, if the object has changed since in what it hangs on.
    """

    rank: Rank
    precondition: Precondition
    unknown: Unknown
    overtaken: bool = False


RULES: Final[Mapping[type[Command], Rule]] = MappingProxyType(
    {
        CreateChild: Rule(Rank.CREATE, Precondition.NAME, Unknown.CHILD, overtaken=True),
        WriteStatus: Rule(Rank.VERDICT, Precondition.VERSION, Unknown.SELF, overtaken=True),
        Delete: Rule(Rank.VERDICT, Precondition.UID, Unknown.CHILD),  # of the object itself: Unknown.SELF
        Release: Rule(Rank.RELEASE, Precondition.UID, Unknown.CHILD),
        PatchChild: Rule(Rank.RELEASE, Precondition.UID, Unknown.CHILD),
        Confirm: Rule(Rank.VERDICT, Precondition.NONE, Unknown.NOTHING),
        ReportProblem: Rule(Rank.NEWS, Precondition.VERSION, Unknown.NOTHING),
        ClaimKey: Rule(Rank.CREATE, Precondition.NAME, Unknown.KEY, overtaken=True),
    }
)


def rank_of(command: Command) -> Rank:
    """Return how urgent a command is."""
    if isinstance(command, WriteStatus) and command.deferrable:
        return Rank.NEWS
    if is_cleanup(command):
        return Rank.CLEANUP
    return RULES[type(command)].rank


def is_cleanup(command: Command) -> bool:
    """Return whether a command only tidies up, and may wait for everything else."""
    return isinstance(command, Delete) and (command.cleanup or command.target == command.of)


def is_child_change(command: Command) -> bool:
    """Return whether a command changes a child that exists."""
    return isinstance(command, Delete | PatchChild | Release) and command.target != command.of


def unknown_outcome(command: Command) -> Unknown:
    """Return what must be re-read if the outcome of a command is not known."""
    if isinstance(command, Delete) and command.target == command.of:
        return Unknown.SELF
    return RULES[type(command)].unknown
