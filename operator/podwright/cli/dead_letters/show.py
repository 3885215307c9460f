"""`podwright dlq show`: show the full state of a dead letter."""

from __future__ import annotations

from typing import Annotated

import typer

from podwright.cli import options


def show(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True)],
    output: options.OutputOption = None,
    place: options.Place,
) -> None:
    """Show a dead letter: its attempts and its spec.

    Each attempt has its reason, node and message.
    """
    import time

    import yaml

    from podwright.cli.dead_letters.selection import read_dead_letter
    from podwright.cli.jobs.copies import run_again_as
    from podwright.cli.jobs.description import describe
    from podwright.cli.jobs.state import spec_of
    from podwright.cli.output import print_lines, print_object
    from podwright.cli.printable import one_line

    client = place.client()
    job = read_dead_letter(client, name)
    if output is not None:
        print_object(job, output)
        return
    spec = yaml.safe_dump(spec_of(job), sort_keys=False, allow_unicode=False).splitlines()
    print_lines([*describe(job, now=time.time()), "", "Spec:", *(f"  {line}" for line in spec)])
    again = run_again_as(job)
    if again is None:
        print_lines(["", f"Run it again: podwright dlq redrive {name}"])
    else:
        print_lines(["", f"It was already {again[0].done} as {one_line(again[1])}."])
    print_lines([f"Drop it:      podwright dlq purge {name}"])
