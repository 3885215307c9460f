"""Builds the cluster's programs from pinned Go modules, once, into a content-addressed cache.

`ensure_programs` is the entry point; `cluster` and `real_node` call it with names from `components`. A program that is
in the cache costs a file lookup and needs no compiler. A user's own Go keeps its module and build caches where it always does.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podwright.devcluster import cache
from podwright.devcluster.components import GO_MODULES, GoModule
from podwright.devcluster.errors import BuildError
from podwright.devcluster.invoker import hand_over
from podwright.devcluster.toolchain import find_c_compiler, find_go

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from podwright.devcluster.reporting import Reporter

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_ASSETS = ("etcd", "kube-apiserver", "kubectl")
"""What envtest's asset directories contain; nothing else is looked for there."""
_LEAST_FREE_BYTES = 6 * 1024**3
"""A cold build of everything takes about 5 GiB of Go caches and 1 GiB of programs."""


def ensure_programs(programs: Iterable[str], *, reporter: Reporter) -> Mapping[str, Path]:
    """Return paths of `programs`, by name; whatever is missing is built first, one Go module after the other.

    `$KUBEBUILDER_ASSETS` is honoured first for etcd, kube-apiserver and kubectl. Two callers at once, in whatever
    processes, build once. Raises BuildError.
    """
    wanted = tuple(dict.fromkeys(programs))
    paths = _assets(wanted, reporter=reporter)
    missing = [program for program in wanted if program not in paths]
    modules = [module for module in GO_MODULES if any(program in module.programs for program in missing)]
    if not modules:
        return paths
    plans = [_plan(module, missing) for module in modules]
    for plan in plans:
        paths |= {program: plan.directory / program for program in plan.programs}
    unbuilt = [plan for plan in plans if plan.missing()]
    for position, plan in enumerate(unbuilt, start=1):
        _build(plan, position=position, total=len(unbuilt), reporter=reporter)
    return paths


def _assets(wanted: Iterable[str], *, reporter: Reporter) -> dict[str, Path]:
    named = os.environ.get(ASSETS_VARIABLE)
    if not named:
        return {}
    directory = Path(named)
    if not directory.is_dir():
        raise BuildError(
            f"{ASSETS_VARIABLE} names {directory}, which is no directory.",
            remedy=f"Correct it, or unset {ASSETS_VARIABLE} to let the programs be built.",
        )
    found = {name: directory / name for name in wanted if name in _ASSETS and os.access(directory / name, os.X_OK)}
    if found:
        reporter.note(f"Using {', '.join(found)} from {ASSETS_VARIABLE} ({directory}).")
    return found


@dataclass(frozen=True, kw_only=True)
class _Plan:
    module: GoModule
    programs: tuple[str, ...]
    settings: Mapping[str, str]
    arguments: tuple[str, ...]
    directory: Path

    def missing(self) -> tuple[str, ...]:
        return tuple(program for program in self.programs if not (self.directory / program).is_file())


def _plan(module: GoModule, wanted: Iterable[str]) -> _Plan:
    settings = {
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "CGO_ENABLED": "1" if module.cgo else "0",
    }
    arguments = ("-trimpath", "-ldflags", " ".join(["-s -w", *_version_flags(module)]))
    # Not by which compiler: another one that is good enough must not cost ten minutes.
    key = cache.digest(
        (module.directory / "go.mod").read_bytes(),
        (module.directory / "go.sum").read_bytes(),
        *arguments,
        *(f"{name}={value}" for name, value in sorted(settings.items())),
        sys.platform,
        platform.machine(),
    )
    return _Plan(
        module=module,
        programs=tuple(program for program in module.programs if program in set(wanted)),
        settings=settings,
        arguments=arguments,
        directory=cache.cache_directory() / "programs" / f"{module.name}-{module.version}-{key}",
    )


def _version_flags(module: GoModule) -> list[str]:
    if not module.stamped:
        return []
    major, minor, _ = module.version.lstrip("v").split(".", 2)
    values = {
        "gitVersion": module.version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "podwright",
    }
    return [f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items()]


def _build(plan: _Plan, *, position: int, total: int, reporter: Reporter) -> None:
    compilers = _find_compilers(plan.module, reporter=reporter)
    step = f"building {', '.join(plan.missing())} ({plan.module.version})"
    reporter.step_started(step, position=position, total=total)
    began = time.monotonic()

    def waiting(elapsed: float) -> None:
        reporter.step_progress(step, elapsed=elapsed, detail="waiting for another process that builds the same")

    with cache.exclusive(plan.directory.name, while_waiting=waiting), cache.workspace() as work:
        missing = plan.missing()
        if missing:
            _check_free_space(work)
            try:
                _run_go(plan, missing, work, compilers=compilers, step=step, began=began, reporter=reporter)
            finally:
                for directory in compilers.caches:
                    if directory.is_dir():
                        hand_over(directory, recursive=True)
            for program in missing:
                cache.publish(work / "out" / _output_name(plan.module, program), plan.directory / program)
    reporter.step_finished(step, elapsed=time.monotonic() - began)


@dataclass(frozen=True, kw_only=True)
class _Compilers:
    go: Path
    environment: Mapping[str, str]
    caches: tuple[Path, ...]
    """Directories of ours that they fill."""


def _find_compilers(module: GoModule, *, reporter: Reporter) -> _Compilers:
    go = find_go(max(each.go_directive for each in GO_MODULES), reporter=reporter)
    environment = dict(go.environment)
    places = [*go.environment.values()]
    if module.cgo:
        c_compiler = find_c_compiler(reporter=reporter)
        environment |= {**c_compiler.environment, "CC": c_compiler.command}
        places += c_compiler.environment.values()
    return _Compilers(go=go.program, environment=environment, caches=tuple(map(Path, places)))


def _output_name(module: GoModule, program: str) -> str:
    """Return the file that `go build -o directory/` writes: the last path element that is no major version."""
    elements = module.package_of(program).split("/")
    return elements[-2] if re.fullmatch(r"v\d+", elements[-1]) else elements[-1]


def _check_free_space(work: Path) -> None:
    free = shutil.disk_usage(work).free
    if free < _LEAST_FREE_BYTES // 4:
        raise BuildError(
            f"Only {free // 1024**2} MiB are free below {cache.cache_directory()}; a build needs some"
            f" {_LEAST_FREE_BYTES // 1024**3} GiB there and in Go's own caches the first time.",
            remedy=f"Free some space, or name a directory on a larger disk in {cache.CACHE_VARIABLE}.",
        )


def _run_go(
    plan: _Plan,
    missing: tuple[str, ...],
    work: Path,
    *,
    compilers: _Compilers,
    step: str,
    began: float,
    reporter: Reporter,
) -> None:
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(plan.module.directory / name, work / name)
    (work / "out").mkdir()
    packages = [plan.module.package_of(program) for program in missing]
    command = [str(compilers.go), "build", "-v", *plan.arguments, "-o", f"{work / 'out'}{os.sep}", *packages]
    environment = {**os.environ, **compilers.environment, **plan.settings}
    try:
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise BuildError(f"{compilers.go} cannot be started: {error.strerror}.") from error
    output: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, output), daemon=True)
    reader.start()
    try:
        while (code := _wait(process, seconds=1.0)) is None:
            detail = output[-1].strip() if output else "starting"
            reporter.step_progress(
                step, elapsed=time.monotonic() - began, detail=f"{len(output)} packages, now {detail}"
            )
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        reader.join()
    if code != 0:
        raise _explained("".join(output), plan=plan)


def _collect(process: subprocess.Popen[str], output: list[str]) -> None:
    if process.stderr is not None:
        with process.stderr:
            output.extend(process.stderr)


def _wait(process: subprocess.Popen[str], *, seconds: float) -> int | None:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None


_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"no space left on device",
        "The disk is full. Free some space; `go env GOCACHE GOMODCACHE` names Go's own caches.",
    ),
    (r"permission denied", "A directory isn't writable for this user; the message above names it."),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|module lookup disabled|proxyconnect|TLS handshake|"
        r"network is unreachable",
        "The Go module proxy could not be reached. Check the network, or set GOPROXY to a proxy that this machine reaches.",
    ),
    (r"checksum mismatch|SECURITY ERROR", "A module differs from its pinned checksum; something between altered it."),
    (
        r"cgo: C compiler|C compiler .* not found",
        "The C compiler doesn't work. Install gcc, or set CC to one that does.",
    ),
    (r"signal: killed", "The compiler was killed, most likely for want of memory. It needs about 4 GiB."),
)


def _explained(output: str, *, plan: _Plan) -> BuildError:
    messages = [line for line in output.splitlines() if not re.fullmatch(r"[\w./@~-]+", line.strip())]
    tail = "\n".join(messages[-15:]) or "(the compiler said nothing)"
    remedy = next((advice for pattern, advice in _CAUSES if re.search(pattern, output)), "")
    return BuildError(f"Building {plan.module.name} {plan.module.version} failed:\n{tail}", remedy=remedy)
