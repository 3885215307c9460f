from __future__ import annotations

import inspect

import pytest

from podwright.cli.options import DryRun, Manner, Place, as_command, with_dry_run_value


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ([], []),
        (["a", "--dry-run"], ["a", "--dry-run=client"]),
        (["--dry-run", "a"], ["--dry-run=client", "a"]),
        (["--dry-run", "server", "a"], ["--dry-run=server", "a"]),
        (["--dry-run=server"], ["--dry-run=server"]),
        (["--dry-run", "--all"], ["--dry-run=client", "--all"]),
    ],
)
def test_a_dry_run_without_a_value_means_client(given: list[str], whole: list[str]) -> None:
    assert with_dry_run_value(given) == whole


def test_a_group_of_options_is_unfolded_for_typer_and_folded_for_the_verb() -> None:
    seen: list[object] = []

    def verb(*, name: str, manner: Manner, place: Place) -> None:
        seen.extend((name, manner, place))

    command = as_command(verb)
    assert list(inspect.signature(command).parameters) == [
        *("name", "dry_run", "output", "namespace", "context", "kubeconfig")
    ]
    options = {"namespace": "n", "context": None, "kubeconfig": None}
    command(name="a", dry_run=DryRun.SERVER, output=None, **options)
    assert seen == ["a", Manner(dry_run=DryRun.SERVER), Place(namespace="n")]
