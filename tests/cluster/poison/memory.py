"""A control group with a memory limit, of version 1 or 2, for one program. Needs root."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

from podwright.devcluster.real_node import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class MemoryGroup:
    """Made by `memory_group`. What runs in it counts together, page cache included, as in a container."""

    def __init__(self, directory: Path, *, version: int) -> None:
        self._directory = directory
        self._version = version

    def command(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return a command that runs `arguments` inside."""
        return ("sh", "-c", 'echo $$ >"$0"/cgroup.procs && exec "$@"', str(self._directory), *arguments)

    @property
    def highest_mib(self) -> float:
        """The most memory that was in use at once."""
        file = "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"
        return int(self._read(file)) / 2**20

    @property
    def kills(self) -> int:
        """How many processes the kernel killed for want of memory."""
        file = "memory.events" if self._version == 2 else "memory.oom_control"
        facts = dict(line.split() for line in self._read(file).splitlines())
        return int(facts["oom_kill"])

    def _read(self, file: str) -> str:
        return (self._directory / file).read_text(encoding="utf-8")


def why_not() -> str | None:
    """Return why there can be no such group here, or None if there can."""
    if os.geteuid() != 0:
        return "only root can limit the memory of a program by a control group"
    if _hierarchy() is None:
        return "no control group hierarchy here has the memory controller"
    return None


@contextlib.contextmanager
def memory_group(*, limit_mib: int) -> Iterator[MemoryGroup]:
    """Make a group; at the end of the block whatever still runs in it is killed and it is gone."""
    hierarchy = _hierarchy()
    assert hierarchy is not None, why_not()
    name = f"podwright-poison-{uuid.uuid4().hex[:8]}"
    directory = hierarchy.parent / name
    try:
        cgroups.make([hierarchy], name=name)
        limit = "memory.max" if hierarchy.version == 2 else "memory.limit_in_bytes"
        (directory / limit).write_text(str(limit_mib * 2**20), encoding="utf-8")
        yield MemoryGroup(directory, version=hierarchy.version)
    finally:
        cgroups.remove([directory])


def _hierarchy() -> cgroups.Hierarchy | None:
    return next((found for found in cgroups.hierarchies() if "memory" in found.controllers), None)
