from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import podwright
from podwright.cli import main
from podwright.cli.errors import CommandError
from tests.unit.cli.program import PODWRIGHT, run
from tests.unit.cli.simulated import SimulatedCluster

if TYPE_CHECKING:
    from pathlib import Path

SLOW = {"aiohttp", "asyncio", "cryptography", "kopf", "kubernetes", "prometheus_client", "pydantic", "rich", "yaml"}


def test_help_names_the_commands() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    assert answer.stderr == ""
    assert "dev" in answer.stdout


def test_help_loads_nothing_slow() -> None:
    # The time itself (about 60 ms) depends on the machine; what is imported doesn't.
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", str(PODWRIGHT), "--help"], capture_output=True, text=True, check=True
    )
    modules = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines() if "|" in line}
    assert "typer" in modules
    assert not {module.partition(".")[0] for module in modules} & SLOW
    assert not {module for module in modules if module.startswith("podwright.devcluster")}


def test_version_is_printed() -> None:
    assert run("--version").stdout == f"podwright {podwright.__version__}\n"


def test_as_a_plugin_of_kubectl_it_calls_itself_by_that_name() -> None:
    answer = run("--help", program=PODWRIGHT.with_name("kubectl-podwright"))
    assert answer.stdout.startswith("Usage: kubectl podwright ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("no-such-command",), "no-such-command"),
        (("dev", "up", "--nodes", "imaginary"), "'auto', 'real', 'fake'"),
        (("dev", "up", "--fake-nodes", "-1"), "--fake-nodes"),
        (("dev", "up", "--kubeconfig", "/does/not/exist"), "/does/not/exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_misuse_ends_with_2_and_says_what_is_allowed(arguments: tuple[str, ...], complaint: str) -> None:
    answer = run(*arguments)
    assert answer.returncode == 2
    assert complaint in answer.stderr
    assert "Traceback" not in answer.stderr


MISUSE = ("podwright: Which", "podwright: Give either names or selectors", "podwright: 'fast' is not a rate")
NO_CLUSTER = "--kubeconfig=/dev/null"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("submit x --image a --retry many", "Invalid value for '--retry': it must be a whole number."),
        ("submit x --image a --retry -1", "Invalid value for '--retry': it must be at least 0."),
        ("completion tcsh", "Invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish'."),
        ("submit x --image busybox:1 echo hi", "The program to run and its arguments follow `--`: -- echo hi"),
        ("-n q submit x", "No such option: -n. Options follow the command: podwright COMMAND -n …"),
        ("dlq -n q list", "No such option: -n. Options follow the command: podwright dlq COMMAND -n …"),
        ("list report", "Error: Unexpected: report\n"),
        ("list --wtch", "No such option: --wtch"),
        ("submit x --image a --timeout 10x", "--timeout: invalid duration '10x'"),
        ("submit x --image a --array 2 --items a --dry-run", "either --array or --items"),
        ("submit", "What should run?"),
        ("cancel a --timeout 5s", "--timeout has no effect without --wait."),
        (f"list --phase Canceled {NO_CLUSTER}", "There is no phase Canceled."),
        ("list -o yml", "'yml' is not one of"),
        ("logs", "Whose logs?"),
        ("restart a b --name c", "--name can only be used with a single job."),
        ("dlq redrive a --patch 1", "--patch must be a JSON object."),
        ("help nope", "There is no command nope."),
    ],
)
def test_misuse_is_told_in_words_for_people(command: str, complaint: str) -> None:
    answer = run(*command.split())
    assert answer.returncode == 2
    assert complaint in answer.stderr
    assert "Input should be" not in answer.stderr
    assert "Value error" not in answer.stderr


@pytest.mark.parametrize(
    "command", ["cancel", "wait", "delete", "dlq redrive", "get a --phase Failed", "cancel a --rate fast"]
)
def test_misuse_that_shows_late_is_misuse_too(tmp_path: Path, command: str) -> None:
    with SimulatedCluster(tmp_path).running() as cluster:
        answer = run(*command.split(), "--kubeconfig", str(cluster.kubeconfig))
    assert answer.returncode == 2
    assert answer.stderr.startswith(MISUSE)


def test_a_command_error_is_printed_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise CommandError("The cellar is flooded.", remedy="Find a pump.")

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.setattr(sys, "argv", ["podwright"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "podwright: The cellar is flooded.\nFind a pump.\n"


def test_it_runs_from_any_directory_and_without_a_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "PYTHONPATH"}}
    answer = subprocess.run(
        [str(PODWRIGHT), "--version"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0


def test_an_operator_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    with SimulatedCluster(tmp_path).running() as cluster, socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = run(
            *("operator", "run", "--http-host", "127.0.0.1", "--http-port", port),
            *("--kubeconfig", str(cluster.kubeconfig), "--log-level", "error"),
        )
    assert answer.returncode == 1
    assert f"cannot serve on 127.0.0.1 port {port}" in answer.stderr
    assert "--http-port 0" in answer.stderr


def test_habits_of_kubectl_and_argo_are_understood() -> None:
    assert run("-h").stdout == run("--help").stdout
    assert run("help").stdout.startswith("Usage: podwright ")
    assert run("help", "dlq", "redrive").stdout.startswith("Usage: podwright dlq redrive ")
    assert "There is no command nope" in run("help", "nope").stderr
    assert run("version").stdout == run("--version").stdout
    for verb in ("describe", "watch", "stop", "resubmit", "ls"):
        assert run(verb, "-h").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    assert "_PODWRIGHT_COMPLETE" in run("completion", shell).stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [("podwright li", {"lint", "list"}), ("podwright list --phase Running,Fa", {"Running,Failed"})],
)
def test_completion_offers_commands_and_phases(line: str, offered: set[str]) -> None:
    environment = os.environ | {
        "_PODWRIGHT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    answer = subprocess.run([str(PODWRIGHT)], env=environment, capture_output=True, text=True, check=False)
    assert offered <= set(answer.stdout.split())


def test_completion_offers_the_jobs_that_there_are(tmp_path: Path) -> None:
    with SimulatedCluster(tmp_path).running() as cluster:
        cluster.finished_job("report")
        environment = os.environ | {
            "_PODWRIGHT_COMPLETE": "complete_bash",
            "COMP_WORDS": "podwright get rep",
            "COMP_CWORD": "2",
            "KUBECONFIG": str(cluster.kubeconfig),
        }
        answer = subprocess.run([str(PODWRIGHT)], env=environment, capture_output=True, text=True, check=False)
    assert answer.stdout.split() == ["report"]


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_u21_output_that_cannot_be_written_is_told_without_a_traceback(redirection: str) -> None:
    answer = subprocess.run(
        ["sh", "-c", f"{PODWRIGHT} --help {redirection}"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "standard output is closed" in answer.stderr or "cannot write the output: No space left" in answer.stderr


@pytest.mark.parametrize("group", ["", "dlq", "dev", "operator"])
def test_every_command_says_what_it_does_in_one_line(group: str) -> None:
    _, _, commands = run(*group.split(), "--help").stdout.partition("Commands:\n")
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize("command", ["get", "submit", "lint", "help", "dev load", "dev up", "operator run"])
def test_help_shows_no_types_of_python(command: str) -> None:
    told = run(*command.split(), "--help").stdout
    assert told.startswith("Usage: podwright ")
    assert not {"<str>", "<int range>", "<list[str]>", "<list[Path]>", "[name]"} & set(told.split())
    assert " range>" not in told
