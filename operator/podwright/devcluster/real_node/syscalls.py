"""The Linux system calls for namespaces and mounts that Python's standard library lacks before 3.12.

Used only inside the process that becomes a node, and by the relay for sockets. Everything here acts on the calling
process or thread alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000
MS_SHARED = 0x10_0000

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the shared namespaces that `flags` name for new ones. A new pid namespace holds for children only."""
    _check(_libc().unshare(ctypes.c_int(flags)), "unshare")


def set_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace of `kind` behind `descriptor`; for the network kind the calling thread alone moves."""
    _check(_libc().setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, file_system: str = "", *, flags: int = 0, options: str = "") -> None:
    """Attach `source` at `target`. What the flags mean together is told by the manual page of the system call."""
    result = _libc().mount(
        source.encode(), target.encode(), file_system.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    _check(result, f"mounting {file_system or source} at {target}")


def unmount(target: str) -> None:
    """Detach the topmost mount at `target`, at once even if it is in use."""
    _check(_libc().umount2(target.encode(), ctypes.c_int(_MNT_DETACH)), f"unmounting {target}")


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however that ends."""
    _check(_libc().prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")


@contextlib.contextmanager
def inside_network(inner: int, *, outer: int) -> Iterator[None]:
    """Be in the network namespace `inner` for the block; sockets made there stay there. The block must not await."""
    set_namespace(inner, CLONE_NEWNET)
    try:
        yield
    finally:
        set_namespace(outer, CLONE_NEWNET)
