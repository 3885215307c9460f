"""The verbs for jobs, put together; `main` adds them to the program itself. Imports nothing slow."""

from __future__ import annotations

import typer

from podwright.cli.jobs import cancel, delete, get, listing, logs, restart, submit, suspend, wait, why
from podwright.cli.lint import command as lint
from podwright.cli.options import ArgumentsAfterDashes, Command, as_command

app = typer.Typer(rich_markup_mode=None)

app.command(cls=ArgumentsAfterDashes)(as_command(submit.submit))
app.command()(as_command(lint.lint))
app.command()(as_command(get.get))
app.command("list")(as_command(listing.list_))
app.command()(as_command(logs.logs))
app.command()(as_command(wait.wait))
app.command()(as_command(why.why))
for verb in (cancel.cancel, suspend.suspend, suspend.resume, restart.retry, restart.restart, delete.delete):
    app.command(cls=Command)(as_command(verb))

# What people type who come from kubectl and argo. The reference has them in a table.
app.command("describe", hidden=True)(as_command(get.describe))
app.command("watch", hidden=True)(as_command(get.watch))
app.command("stop", hidden=True, cls=Command)(as_command(cancel.cancel))
app.command("resubmit", hidden=True, cls=Command)(as_command(restart.restart))
app.command("ls", hidden=True)(as_command(listing.list_))
