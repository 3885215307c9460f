"""`podwright` as a program against the shared cluster, in a namespace of the test's own. No operator runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import OPERATOR, Api
from tests.unit.cli.program import PODWRIGHT

if TYPE_CHECKING:
    from pathlib import Path

    from podwright.devcluster import EmbeddedCluster


class Shell:
    """Runs `podwright` with a kubeconfig whose context names the test's namespace."""

    def __init__(self, kubeconfig: Path, *, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        self._directory = directory

    def __call__(self, *arguments: str, stdin: str = "", timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        answer = subprocess.run(
            [str(PODWRIGHT), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            cwd=self._directory,
            env=self.environment,
        )
        assert "Traceback" not in answer.stderr, answer.stderr
        return answer

    def out(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; give what it printed."""
        answer = self(*arguments, stdin=stdin)
        assert answer.returncode == 0, answer
        return answer.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [str(PODWRIGHT), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self._directory,
            env=self.environment,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the program sees."""
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "COLUMNS": "200", "NO_COLOR": "1", "TZ": "UTC"}


class Records:
    """Writes what an operator would have written on the jobs of a namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def write(self, name: str, phase: str, **status: Any) -> None:
        """Write a status. What the rules of the API demand of a phase is added."""
        ended = phase in {"Succeeded", "Failed", "Cancelled", "DeadLettered", "Skipped"}
        kinds = {
            "Succeeded": ("Finished", "Complete", "Ready"),
            "Skipped": ("Finished", "Skipped"),
            "Suspended": ("Suspended", "Reconciling"),
        }.get(phase, ("Finished", "Failed", "Stalled") if ended else ("Reconciling",))
        reason = status.get("reason", "Test")
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": "",
                "lastTransitionTime": "2026-11-21T10:00:00Z",
            }
            for kind in kinds
        ]
        whole = {
            "observedGeneration": 1,
            "phase": phase,
            "reason": reason,
            "message": "written by a test",
            "conditions": conditions,
            **({"finishTime": "2026-11-21T10:00:00Z"} if ended else {}),
            **status,
        }
        operator = self._api.acting_as(OPERATOR)
        operator.patch("BatchJob", self._namespace, name, {"status": whole}, subresource="status").expect()


@pytest.fixture
def podwright(cluster: EmbeddedCluster, namespace: str, tmp_path: Path) -> Shell:
    """The program, as the administrator in the test's namespace."""
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copyfile(cluster.kubeconfig, kubeconfig)
    cluster.kubectl("config", "set-context", "--current", f"--namespace={namespace}", f"--kubeconfig={kubeconfig}")
    return Shell(kubeconfig, directory=tmp_path)


@pytest.fixture
def records(api: Api, namespace: str) -> Records:
    """The operator's pen."""
    return Records(api, namespace)
