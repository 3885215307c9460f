"""`podwright suspend` and `podwright resume`: stop the pods of jobs and let them go on."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options

_Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)]


def suspend(
    *,
    names: _Names = None,
    rate: options.RateOption = "50/s",
    dry_run: options.DryRunOption = options.DryRun.NONE,
    output: options.OutputOption = None,
    selector: options.SelectorOption = "",
    fields: options.FieldSelectorOption = "",
    everywhere: options.EverywhereOption = False,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Suspend jobs: their pods are stopped, and none starts until they are resumed."""
    from podwright.cli.jobs.edits import Edit, apply_to

    client = options.connect(kubeconfig=kubeconfig, context=context, namespace=namespace, everywhere=everywhere)
    edit = Edit(verb="suspend", spec={"suspend": True}, done="suspended", needs_unfinished=True)
    apply_to(client, names or (), edit, selector=selector, fields=fields, rate=rate, dry_run=dry_run, output=output)


def resume(
    *,
    names: _Names = None,
    rate: options.RateOption = "50/s",
    dry_run: options.DryRunOption = options.DryRun.NONE,
    output: options.OutputOption = None,
    selector: options.SelectorOption = "",
    fields: options.FieldSelectorOption = "",
    everywhere: options.EverywhereOption = False,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Resume suspended jobs. Their total timeout counts from now."""
    from podwright.cli.jobs.edits import Edit, apply_to

    client = options.connect(kubeconfig=kubeconfig, context=context, namespace=namespace, everywhere=everywhere)
    edit = Edit(verb="resume", spec={"suspend": False}, done="resumed", needs_unfinished=True)
    apply_to(client, names or (), edit, selector=selector, fields=fields, rate=rate, dry_run=dry_run, output=output)
