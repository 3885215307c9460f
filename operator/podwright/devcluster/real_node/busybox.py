"""Finds a static busybox, of which the images for real nodes are made.

One on PATH if it is static; else the Debian package `busybox-static`, fetched with the machine's own apt and unpacked
into the cache without installing it. Called by `requirements` and `node`.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

from podwright.devcluster import cache
from podwright.devcluster.errors import BuildError

_PACKAGE = "busybox-static"
_APT_SECONDS = 300.0
_PT_INTERP = 3


def why_not_available() -> str | None:
    """Return None if `find` has a way to get one, else a sentence that says what to do. Fetches nothing."""
    if _on_path() is not None or _cached().is_file() or _has_apt():
        return None
    return "Real nodes need a static busybox to make container images of: install one (Debian: busybox-static) on PATH."


def find() -> Path:
    """Return a static busybox of this machine's architecture. Raises BuildError if none can be had."""
    found = _on_path()
    if found is not None:
        return found
    target = _cached()
    if not target.is_file():
        with cache.exclusive(_PACKAGE, while_waiting=lambda _: None), cache.workspace() as work:
            if not target.is_file():
                cache.publish(_fetch(work), target)
    return target


def applets(program: Path) -> tuple[str, ...]:
    """Return the names of the commands that `program` contains."""
    answer = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=30, check=True)
    return tuple(answer.stdout.split())


def _cached() -> Path:
    return cache.cache_directory() / "tools" / _PACKAGE / "busybox"


def _has_apt() -> bool:
    return all(shutil.which(program) is not None for program in ("apt-get", "dpkg-deb"))


def _on_path() -> Path | None:
    found = shutil.which("busybox")
    return Path(found) if found is not None and is_static(Path(found)) else None


def is_static(program: Path) -> bool:
    """Return whether `program` is an ELF file that names no dynamic loader (ELF specification, program header PT_INTERP)."""
    with program.open("rb") as file:
        header = file.read(64)
        if header[:4] != b"\x7fELF":
            return False
        wide, order = header[4] == 2, "<" if header[5] == 1 else ">"
        offset = struct.unpack_from(f"{order}Q" if wide else f"{order}I", header, 32 if wide else 28)[0]
        size, count = struct.unpack_from(f"{order}HH", header, 54 if wide else 42)
        file.seek(offset)
        table = file.read(size * count)
    return all(struct.unpack_from(f"{order}I", table, position * size)[0] != _PT_INTERP for position in range(count))


def _fetch(work: Path) -> Path:
    if not _has_apt():
        raise BuildError(why_not_available() or "", remedy="")
    if not _download(work, options=()):
        # This machine has never fetched apt's lists. Ours go to the workspace: the system's are not ours to touch.
        (work / "lists" / "partial").mkdir(parents=True)
        (work / "archives" / "partial").mkdir(parents=True)
        options = ("-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work}")
        _run_apt(work, *options, "update")
        if not _download(work, options=options):
            raise BuildError(
                f"The Debian package {_PACKAGE}, of which container images are made, could not be fetched.",
                remedy=f"Install it (apt-get install {_PACKAGE}), or put a static busybox on PATH.",
            )
    package = next(work.glob(f"{_PACKAGE}_*.deb"))
    subprocess.run(["dpkg-deb", "--extract", package, work / "unpacked"], capture_output=True, timeout=60, check=True)
    return work / "unpacked" / "bin" / "busybox"


def _download(work: Path, *, options: tuple[str, ...]) -> bool:
    return _run_apt(work, *options, "download", _PACKAGE) and any(work.glob(f"{_PACKAGE}_*.deb"))


def _run_apt(work: Path, *arguments: str) -> bool:
    try:
        answer = subprocess.run(
            # As root, apt would hand the download to its own user, who may not write here.
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *arguments],
            cwd=work,
            capture_output=True,
            timeout=_APT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
