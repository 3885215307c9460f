"""Which dead letters are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from podwright.cli.connection import Object
from podwright.cli.errors import CommandError, MisuseError
from podwright.cli.job_client import JobClient
from podwright.cli.jobs.state import finished, phase_of, shown_phase, succeeded
from podwright.core.model.phase import Phase

FIELDS: Final = f"status.phase={Phase.DEAD_LETTERED}"


def read_dead_letter(client: JobClient, name: str) -> Object:
    """Read a dead letter.

    Raises:
        CommandError: there is no such job, or it is none.
    """
    job = client.read(name)
    if phase_of(job) == Phase.DEAD_LETTERED:
        return job
    if finished(job) and not succeeded(job):
        remedy = f"Run it again: podwright retry {name}"
    else:
        remedy = "`podwright dlq list` shows the dead letters."
    raise CommandError(f"{name} is not a dead letter: it is {shown_phase(job)}.", remedy=remedy)


def dead_letters(client: JobClient, names: Sequence[str], *, selector: str, every: bool) -> list[Object]:
    """Read the dead letters that are named, or else those that are selected.

    Raises:
        CommandError: none or both ways are used, or a named one is none.
    """
    if names and (selector or every or client.everywhere):
        raise MisuseError("Give either names or selectors, not both.")
    if names:
        return [read_dead_letter(client, name) for name in dict.fromkeys(names)]
    if not selector and not every:
        raise MisuseError("Which dead letters? Give names, or --selector or --all.")
    return client.all(selector=selector, fields=FIELDS)
