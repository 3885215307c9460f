"""`podwright completion`, and the values that shells complete: names of jobs and namespaces, phases.

Asked at every press of the tab key, so what can't be found out at once is not offered, without a word.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import quote

import typer

VARIABLE = "_PODWRIGHT_COMPLETE"
"""Set by the script while the shell asks for values."""
_MOST_NAMES = 500


class Shell(enum.StrEnum):
    """What `podwright completion` takes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", show_default=False)]) -> None:
    """Print a completion script for a shell.

    It completes commands, options, job names, phases and namespaces.

    For example:

      bash: source <(podwright completion bash)

      zsh: source <(podwright completion zsh)

      fish: podwright completion fish | source
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="podwright", complete_var=VARIABLE, shell=shell.value))


def prepare() -> None:
    """Get typer ready to answer a shell that asks for values."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()


def job_names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of jobs that begin so."""
    with contextlib.suppress(Exception):
        found = _get(context, "/apis/podwright.dev/v1alpha1/namespaces/{namespace}/batchjobs")
        taken = set(context.params.get("names") or ())
        return [name for name in found if name.startswith(incomplete) and name not in taken]
    return []


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of namespaces that begin so."""
    with contextlib.suppress(Exception):
        return [name for name in _get(context, "/api/v1/namespaces") if name.startswith(incomplete)]
    return []


def contexts(context: typer.Context, incomplete: str) -> list[str]:
    """Return the contexts of the kubeconfig that begin so."""
    with contextlib.suppress(Exception):
        from podwright.kube.kubeconfig import contexts_of

        found, _ = contexts_of(context.params.get("kubeconfig"))
        return [name for each in found if (name := str(each["name"])).startswith(incomplete)]
    return []


def phases(incomplete: str) -> list[str]:
    """Return the phases that begin so; several may be written with commas between them."""
    from podwright.core.model.phase import Phase

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{phase}" for phase in Phase if phase.lower().startswith(last.lower())]


def _get(context: typer.Context, path: str) -> Iterable[str]:
    from podwright.cli.connection import METADATA_LIST, Connection

    chosen = context.params
    connection = Connection.open(kubeconfig=chosen.get("kubeconfig"), context=chosen.get("context"))
    namespace = quote(chosen.get("namespace") or connection.namespace, safe="")
    found = connection.get(path.format(namespace=namespace), {"limit": str(_MOST_NAMES)}, accept=METADATA_LIST)
    return [str(item["metadata"]["name"]) for item in found.get("items") or ()]
