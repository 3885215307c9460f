"""The verbs for dead letters, put together. Imports nothing slow."""

from __future__ import annotations

import typer

from podwright.cli.dead_letters import listing, purge, redrive, show
from podwright.cli.options import Command, as_command

app = typer.Typer(help="Dead letters: jobs that used up their retries.", no_args_is_help=True, rich_markup_mode=None)
app.command("list")(as_command(listing.list_))
app.command()(as_command(show.show))
app.command(cls=Command)(as_command(redrive.redrive))
app.command(cls=Command)(as_command(purge.purge))
