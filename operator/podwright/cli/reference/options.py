"""The options of `podwright operator run`, from the command line's own definition."""

from typing import TYPE_CHECKING

import typer

from podwright.cli import operator
from podwright.cli.reference.sections import table

if TYPE_CHECKING:
    from collections.abc import Iterator


def render() -> str:
    """A table of all options."""
    return table(("Option", "Variable", "Default", "Meaning"), _rows())


def _rows() -> "Iterator[tuple[str, str, str, str]]":
    group = typer.main.get_command(operator.app)
    commands = getattr(group, "commands", {})
    for parameter in commands["run"].params:
        option = "`" + " / ".join(f"{name}" for name in (*parameter.opts, *parameter.secondary_opts)) + "`"
        variable = f"`{parameter.envvar}`" if isinstance(parameter.envvar, str) else ""
        default = parameter.default
        shown = "" if default in (None, "") else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        yield option, variable, shown, parameter.help or ""
