"""What the runner of a pack reports in the termination message, read back.

The text comes out of a user's container and may have been cut by the kubelet at either end: nothing is believed that isn't written out
in full, nothing about tasks of other pods, and what contradicts itself counts as unknown.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from podwright.core.attempt.termination_message import PACK_REPORT, STALLED, is_report
from podwright.core.values.index_set import EMPTY, IndexSet

LONGEST: Final = 4096  # bytes: as long as the kubelet lets a termination message be
_PART: Final = re.compile(
    r"(?:started (?P<started>[0-9]{1,7})|(?P<stalled>" + STALLED + ")"
    r"|(?:(?P<succeeded>succeeded)|exit (?P<code>[1-9][0-9]{0,2}):|(?P<timed_out>timed out):)"
    r" (?P<indexes>[0-9]{1,7}(?:-[0-9]{1,7})?(?:,[0-9]{1,7}(?:-[0-9]{1,7})?)*))"
)


class PackReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the tasks of one pod ended. What is in none of its sets may or may not have run, and isn't known to be done.

    `failed` is by exit code (1 to 255; 128 + n after signal n). `unstarted` were certainly never started.
    """

    succeeded: IndexSet = EMPTY
    failed: Mapping[int, IndexSet] = {}
    timed_out: IndexSet = EMPTY
    unstarted: IndexSet = EMPTY
    stalled: bool = False


NOTHING: Final = PackReport()


class _Container(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


class _PodSpec(msgspec.Struct, frozen=True, gc=False):
    containers: tuple[_Container, ...] = ()


class _Template(msgspec.Struct, frozen=True, gc=False):
    spec: _PodSpec = _PodSpec()


_TEMPLATE: Final = msgspec.json.Decoder(_Template)


def runner_container(template: bytes) -> str:
    """Return the name of the container that runs the tasks of a pack: the template's first; "" if it can't be read."""
    try:
        containers = _TEMPLATE.decode(template).spec.containers
    except msgspec.MsgspecError:
        return ""
    return containers[0].name if containers else ""


def parse_report(message: str, *, tasks: IndexSet) -> PackReport:
    """Read a report about a pod that was given `tasks`. A text that isn't one says nothing; it is never an error."""
    if not is_report(message):
        return NOTHING
    text, told, groups = message[:LONGEST], None, _Groups()
    text, whole, _ = text[len(PACK_REPORT) :].partition(".")
    if not whole:  # cut off: the last index may be the beginning of another
        text = text[: max(text.rfind(","), text.rfind(";"), 0)]
    for part in text.split("; ") if text else ():
        found = _PART.fullmatch(part.rstrip(";"))
        if found is None:
            return NOTHING
        if found["started"] is not None:
            told = int(found["started"])
        elif not groups.add(found):
            return NOTHING
    return groups.report(tasks=tasks, started=told)


class _Groups:
    def __init__(self) -> None:
        self._indexes: dict[int | str, IndexSet] = {}
        self._stalled = False

    def add(self, found: re.Match[str]) -> bool:
        """Record one part; False if no runner writes such a thing."""
        if found["stalled"]:
            self._stalled = True
            return True
        key: int | str = int(found["code"]) if found["code"] else (found["succeeded"] or found["timed_out"])
        if key in self._indexes or (isinstance(key, int) and key > 255):
            return False
        try:
            self._indexes[key] = IndexSet.parse(found["indexes"])
        except ValueError:
            return False
        return True

    def report(self, *, tasks: IndexSet, started: int | None) -> PackReport:
        groups = self._without_contradictions(tasks)
        ended = EMPTY
        for indexes in groups.values():
            ended |= indexes
        return PackReport(
            succeeded=groups.get("succeeded", EMPTY),
            failed={key: group for key, group in groups.items() if isinstance(key, int) and group},
            timed_out=groups.get("timed out", EMPTY),
            unstarted=EMPTY if started is None else _from_position(tasks, started) - ended,
            stalled=self._stalled,
        )

    def _without_contradictions(self, tasks: IndexSet) -> dict[int | str, IndexSet]:
        seen = twice = EMPTY
        for indexes in self._indexes.values():
            twice |= seen & indexes
            seen |= indexes
        return {key: (indexes & tasks) - twice for key, indexes in self._indexes.items()}


def _from_position(tasks: IndexSet, position: int) -> IndexSet:
    """Return what is left of a set without its first `position` indexes."""
    left = position
    for number, (low, high) in enumerate(tasks.ranges):
        if left <= high - low:
            return IndexSet(((low + left, high), *tasks.ranges[number + 1 :]))
        left -= high - low + 1
    return EMPTY
