"""What this is measured on: the machine and the commit."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import subprocess
from pathlib import Path

from tests.bench.result import Machine, RunFacts

_ROOT = Path(__file__).parents[2]


def facts() -> RunFacts:
    """Describe a run that begins now; which Kubernetes it has is not known yet."""
    return RunFacts(
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        commit=_commit(),
        machine=machine(),
    )


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
    )


def digest() -> str:
    """A digest of everything that is measured: two that differ tell that somebody changed it meanwhile."""
    found = hashlib.sha256()
    for directory in ("operator", "crds", "manifests", "tests/bench", "tests/support/simulator"):
        for path in sorted((_ROOT / directory).rglob("*")):
            if path.suffix in {".py", ".yaml"}:
                found.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "operator", "crds", "manifests")
        return git("rev-parse", "--short=10", "HEAD") + ("-changed" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
