"""The verbs for jobs, put together; `main` adds them to the program itself. Imports nothing slow."""

from __future__ import annotations

import typer

from podwright.cli.jobs import cancel, delete, get, listing, logs, restart, submit, suspend, wait, why
from podwright.cli.options import ArgumentsAfterDashes

app = typer.Typer(rich_markup_mode=None)

app.command(cls=ArgumentsAfterDashes)(submit.submit)
app.command()(get.get)
app.command("list")(listing.list_)
app.command()(logs.logs)
app.command()(wait.wait)
app.command()(why.why)
for verb in (cancel.cancel, suspend.suspend, suspend.resume, restart.retry, restart.restart, delete.delete):
    app.command(cls=ArgumentsAfterDashes)(verb)
