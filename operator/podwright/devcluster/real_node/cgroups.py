"""The node's control groups: one directory per hierarchy, under which everything that the node runs is confined.

The node's init joins these directories and then enters a cgroup namespace whose root they are, so that containerd and
runc see, and can only make, groups below them. That makes nested layouts (a container, a session scope, a hybrid of
v1 and v2) look like an ordinary machine, and it makes the directories the last word on what belongs to the
node: `remove` kills what is in them and deletes them, knowing nothing else. Used by `node`, `init` and `requirements`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podwright.devcluster.errors import StartError
from podwright.devcluster.real_node import syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NEEDED_CONTROLLERS = ("cpu", "memory", "pids")
_SERVICES = "services"
"""Where the node's own processes live: cgroup v2 lets only leaves hold processes once controllers are handed on."""
_REMOVE_SECONDS = 20.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Hierarchy:
    """One mounted cgroup hierarchy, and where in it this process may make directories."""

    version: int
    mount_point: Path
    controllers: tuple[str, ...]
    """Of version 1 the mount options that name it, such as `cpu` or `name=systemd`; of 2 those it offers."""
    parent: Path
    """Where the node's directory goes: beside nothing of ours in version 2, below our own group in version 1."""


def hierarchies(
    *, mounts: str | None = None, groups: str | None = None, read_controllers: bool = True
) -> tuple[Hierarchy, ...]:
    """Return all hierarchies that this process sees, from the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8") if mounts is None else mounts
    groups = Path("/proc/self/cgroup").read_text(encoding="utf-8") if groups is None else groups
    own: dict[str, str] = {}
    for line in groups.splitlines():
        _, names, path = line.split(":", 2)
        own[names] = path
    found: dict[str, Hierarchy] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, mount_point = before.split()[3:5]
        file_system, _, options = after.split()[:3]
        if file_system == "cgroup2":
            offered = _offered(Path(mount_point)) if read_controllers else ()
            found[mount_point] = Hierarchy(
                version=2, mount_point=Path(mount_point), controllers=offered, parent=Path(mount_point)
            )
        elif file_system == "cgroup":
            named = next((names for names in own if names and set(names.split(",")) <= set(options.split(","))), None)
            if named is not None:
                found[mount_point] = Hierarchy(
                    version=1,
                    mount_point=Path(mount_point),
                    controllers=tuple(named.split(",")),
                    parent=_below(mount_point, root=root, path=own[named]),
                )
    return tuple(found.values())


def _offered(mount_point: Path) -> tuple[str, ...]:
    with contextlib.suppress(OSError):
        return tuple((mount_point / "cgroup.controllers").read_text(encoding="utf-8").split())
    return ()


def _below(mount_point: str, *, root: str, path: str) -> Path:
    # A container engine may mount only its own part of the hierarchy (root), while path counts from the true root.
    relative = os.path.relpath(path, root)
    return Path(mount_point) if relative.startswith("..") else Path(mount_point) / relative


def directories(found: Iterable[Hierarchy], *, name: str) -> tuple[Path, ...]:
    """Return the node's directory in each hierarchy."""
    return tuple(hierarchy.parent / name for hierarchy in found)


def make(found: Iterable[Hierarchy], *, name: str) -> None:
    """Create the node's directories, with the controllers that containers need."""
    for hierarchy in found:
        directory = hierarchy.parent / name
        if hierarchy.version == 2:
            _hand_on(hierarchy.parent, hierarchy.controllers)
        directory.mkdir(exist_ok=True)
        if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
            # Version 1 starts a child with no processor and no memory node, and refuses processes until it has some.
            for file in ("cpuset.cpus", "cpuset.mems"):
                (directory / file).write_text((hierarchy.parent / file).read_text(encoding="utf-8"), encoding="utf-8")


def _hand_on(directory: Path, controllers: Iterable[str]) -> None:
    for controller in controllers:
        try:
            (directory / "cgroup.subtree_control").write_text(f"+{controller}", encoding="utf-8")
        except OSError as error:
            if controller in NEEDED_CONTROLLERS:
                raise StartError(
                    f"The cgroup controller {controller} can't be handed to children of {directory}: {error.strerror}.",
                    remedy="In a container, start it with the host's cgroup namespace (`--cgroupns=host`), or move its"
                    " processes out of the root group first.",
                ) from error


def enter(found: Iterable[Hierarchy], *, name: str) -> None:
    """Move this process into the node's directories."""
    for directory in directories(found, name=name):
        (directory / "cgroup.procs").write_text("0", encoding="utf-8")


def mount_as_root(found: Sequence[Hierarchy]) -> None:
    """Mount every hierarchy anew, after a cgroup namespace was entered, so that the node's directory is its root.

    The former mounts must go, not only be covered: runc takes the first one that the mount table lists.
    """
    for hierarchy in found:
        syscalls.unmount(str(hierarchy.mount_point))
    for hierarchy in found:
        target = str(hierarchy.mount_point)
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        if hierarchy.version == 2:
            syscalls.mount("cgroup2", target, "cgroup2", flags=flags)
            services = hierarchy.mount_point / _SERVICES
            services.mkdir(exist_ok=True)
            (services / "cgroup.procs").write_text("0", encoding="utf-8")
            _hand_on(hierarchy.mount_point, hierarchy.controllers)
        else:
            named = any(controller.startswith("name=") for controller in hierarchy.controllers)
            options = ",".join((("none",) if named else ()) + hierarchy.controllers)
            syscalls.mount("cgroup", target, "cgroup", flags=flags, options=options)


def remove(found: Iterable[Path]) -> None:
    """Kill every process in these directories and delete them with all below. Idempotent; raises StartError."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    left = [directory for directory in found if directory.is_dir()]
    while left:
        for directory in left:
            for group in _deepest_first(directory):
                _kill_all_in(group)
                with contextlib.suppress(OSError):
                    group.rmdir()
        left = [directory for directory in left if directory.is_dir()]
        if left and time.monotonic() > deadline:
            raise StartError(
                f"These control groups can't be removed: {', '.join(map(str, left))}.",
                remedy="A process in them doesn't die, even by SIGKILL; see cgroup.procs in them. Try again later.",
            )
        time.sleep(_POLL_SECONDS if left else 0.0)


def _deepest_first(directory: Path) -> list[Path]:
    return [Path(path) for path, _, _ in os.walk(directory, topdown=False)]


def _kill_all_in(group: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in map(int, (group / "cgroup.procs").read_text(encoding="utf-8").split()):
            # 0 stands for a process that this pid namespace doesn't see, and would mean ourselves to kill(2).
            if pid > 1:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
