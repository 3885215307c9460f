"""What the node sees of the file system: the machine's, with the places where daemons keep state made private.

Everything here happens in the node's own mount namespace, so that no mount is ever visible outside and all of them go
with the last process of the node. Because `/run`, `/var/lib` and `/var/log` are the node's own, kubelet and containerd
run with their default paths, and several nodes don't meet. Called by `init`, nowhere else.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podwright.devcluster.real_node import syscalls

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE_DIRECTORY: Final = Path("/run/podwright/node")
"""Where the node's data directory appears inside the node."""
_PROGRAMS_DIRECTORY = Path("/run/podwright/programs")

_PRIVATE = ("/run", "/var/lib", "/var/log")
_FROM_NODE_DIRECTORY = {
    "containerd": "/var/lib/containerd",
    "kubelet": "/var/lib/kubelet",
    "cni": "/var/lib/cni",
    "pods": "/var/log/pods",
}
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet insists on; it would set them for the whole machine, and nobody would set them back."""


def detach() -> None:
    """Cut this mount namespace off from the machine's, and let mounts propagate within, as the kubelet expects."""
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_SHARED)


def program_path(directories: Sequence[str]) -> tuple[str, ...]:
    """Return where the directories of programs appear inside the node, in the same order."""
    return tuple(str(_PROGRAMS_DIRECTORY / str(position)) for position in range(len(directories)))


def make_node_files(*, node_directory: Path, program_directories: Sequence[str]) -> None:
    """Put the node's own view of the file system together. `/proc` is the new pid namespace's afterwards.

    Programs are bound by whole directories: runc seals itself by an overlay on the directory that it lies in, and
    would find only the placeholder of a file that was bound alone.
    """
    # Held open by descriptor, since any of these may lie below a directory that is about to be covered.
    sources = dict(zip(program_path(program_directories), program_directories, strict=True))
    held = {target: os.open(source, os.O_PATH) for target, source in sources.items()}
    held[str(NODE_DIRECTORY)] = os.open(node_directory, os.O_PATH)
    syscalls.mount("proc", "/proc", "proc", flags=syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    for path in _PRIVATE:
        syscalls.mount("tmpfs", path, "tmpfs", flags=syscalls.MS_NOSUID | syscalls.MS_NODEV, options="mode=755")
    for target, descriptor in held.items():
        Path(target).mkdir(parents=True)
        syscalls.mount(f"/proc/self/fd/{descriptor}", target, flags=syscalls.MS_BIND)
        os.close(descriptor)
    for name, path in _FROM_NODE_DIRECTORY.items():
        (NODE_DIRECTORY / name).mkdir(exist_ok=True)
        Path(path).mkdir(parents=True)
        syscalls.mount(str(NODE_DIRECTORY / name), path, flags=syscalls.MS_BIND)
    _cover_kernel_settings()


def _cover_kernel_settings() -> None:
    directory = Path("/run/podwright/kernel")
    directory.mkdir()
    for name, value in _KERNEL_SETTINGS.items():
        if not Path("/proc/sys", name).exists():
            continue
        substitute = directory / name.replace("/", ".")
        substitute.write_text(f"{value}\n", encoding="ascii")
        syscalls.mount(str(substitute), f"/proc/sys/{name}", flags=syscalls.MS_BIND)


def overlay_works(directory: Path) -> bool:
    """Return whether overlayfs can be mounted on `directory`'s file system; not so inside some containers."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="overlay-") as made:
        lower, upper, work, merged = (Path(made, name) for name in ("lower", "upper", "work", "merged"))
        for path in (lower, upper, work, merged):
            path.mkdir()
        try:
            syscalls.mount(
                "overlay", str(merged), "overlay", options=f"lowerdir={lower},upperdir={upper},workdir={work}"
            )
        except OSError:
            return False
        syscalls.unmount(str(merged))
        return True
