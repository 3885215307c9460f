"""`podwright wait`: until jobs have ended."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options


def wait(
    *,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default=False)] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Longest wait, such as 10m. Default: none.")] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of jobs that end.")] = False,
    selector: options.SelectorOption = "",
    fields: options.FieldSelectorOption = "",
    everywhere: options.EverywhereOption = False,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
) -> None:
    """Wait until jobs have ended, however that is.

    Exits with 0 if all succeeded, with 1 if one did not, and with 124 if that took longer than --timeout.
    """
    from podwright.cli.arguments import seconds_option
    from podwright.cli.bulk import chosen
    from podwright.cli.jobs.waiting import wait_for
    from podwright.cli.output import remark

    seconds = seconds_option(timeout, option="--timeout")
    client = options.connect(kubeconfig=kubeconfig, context=context, namespace=namespace, everywhere=everywhere)
    jobs = chosen(client, names or (), selector=selector, fields=fields, every=everywhere)
    if not jobs:
        remark(f"No jobs found in {client.where}.")

    def tell(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    raise typer.Exit(wait_for(client, jobs, seconds=seconds, tell=tell))
