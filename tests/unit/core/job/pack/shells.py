"""Runs packs in real shells as a container runtime would: the kubelet's expansion, an environment, a termination message file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from podwright.core.job.pack.command import packed
from podwright.core.job.pack.report import PackReport, parse_report
from podwright.core.values.index_set import IndexSet
from podwright.devcluster import BuildError
from podwright.devcluster.real_node import busybox

if TYPE_CHECKING:
    from collections.abc import Callable

SHELLS = {"busybox": ["busybox", "sh"], "dash": ["dash"], "bash": ["bash", "--posix"]}


def shell(name: str) -> list[str]:
    """Return the command of a shell, or skip the test."""
    program, *arguments = SHELLS[name]
    return [busybox_program() if program == "busybox" else _installed(program), *arguments]


def busybox_program() -> str:
    """Return the path of busybox, which is got if it isn't there, or skip the test."""
    try:
        return shutil.which("busybox") or str(busybox.find())
    except BuildError as error:
        pytest.skip(f"{error}")


def _installed(program: str) -> str:
    if (found := shutil.which(program)) is None:
        pytest.skip(f"{program} isn't installed, so that it runs packs can't be seen here")
    return found


def script_of(script: str) -> list[str]:
    """Return a command that runs a script. The kubelet reads $$ as $."""
    return ["sh", "-c", script.replace("$", "$$")]


def expanded(text: str, variables: dict[str, str]) -> str:
    """Replace references as the kubelet does (k8s.io/kubernetes/third_party/forked/golang/expansion)."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", value, text)


class Pack:
    """One pack, started in a shell."""

    def __init__(
        self,
        directory: Path,
        shell: list[str],
        command: list[str],
        *,
        tasks: str = "0-3",
        work: str = "job-uid",
        items: tuple[str, ...] = (),
        parallelism: int = 1,
        limit: float | None = None,
        containers: int = 1,
        environment: dict[str, str] | None = None,
        container: dict[str, Any] | None = None,
    ) -> None:
        self.tasks = IndexSet.parse(tasks)
        self.file = directory / "termination-log"
        self.file.touch()
        made = packed(
            {"name": "main", "command": command, "terminationMessagePath": str(self.file), **(container or {})},
            tasks=self.tasks,
            work=work,
            items=items,
            parallelism=parallelism,
            limit=limit,
            containers=containers,
            grace=1,
        )
        variables = {"PODWRIGHT_JOB_UID": "job-uid", "PATH": os.environ["PATH"], "DIR": str(directory)}
        variables |= environment or {}
        for variable in made["env"]:
            variables[variable["name"]] = expanded(variable["value"], variables)
        assert made["command"][0] == "sh"
        arguments = [expanded(text, variables) for text in (*made["command"][1:], *made["args"])]
        # Groups of their own: a task may signal its whole group, and a container is a group, too.
        # Whoever reads the input of the container, which is endless here, never ends.
        with (directory / "log").open("wb") as log, Path("/dev/zero").open("rb") as zeros:
            self.process = subprocess.Popen(
                [*shell, *arguments],
                env=variables,
                cwd=directory,
                stdin=zeros,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.directory = directory

    def stop(self) -> None:
        """Do what the kubelet does first."""
        self.process.send_signal(signal.SIGTERM)

    def end(self, *, seconds: float = 15.0) -> int:
        """Wait for the end and give the exit code."""
        try:
            return self.process.wait(timeout=seconds)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    @property
    def message(self) -> str:
        return self.file.read_text()[-4096:]

    @property
    def report(self) -> PackReport:
        return parse_report(self.message, tasks=self.tasks)

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def lines(self) -> list[str]:
        """Return what the tasks wrote, in order of the text."""
        return sorted(line for line in self.log.splitlines() if not line.startswith("[podwright]"))


def eventually(look: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
