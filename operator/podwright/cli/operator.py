"""`podwright operator run`: the operator as a process, in a cluster or beside one."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from podwright.cli.errors import CommandError
from podwright.core.accounting import Accounting
from podwright.core.run.events import EventLevel

app = typer.Typer(help="Run the operator.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    # Keeps `run` a command of its own although it is the only one.
    pass


@app.command()
def run(
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            envvar="KUBECONFIG",
            help="Kubeconfig file. Default: the service account of the pod that it runs in.",
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option(metavar="NAME", envvar="PODWRIGHT_NAMESPACE", help="Namespace of the operator's Leases.")
    ] = "podwright-system",
    identity: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Name of this process in the Leases; must differ for every start. Default: generated."
        ),
    ] = "",
    watch_namespaces: Annotated[
        list[str],
        typer.Option(
            "--watch-namespace",
            metavar="NAME",
            envvar="PODWRIGHT_WATCH_NAMESPACES",
            help="Run the jobs of this namespace only; may be repeated. Default: all namespaces.",
        ),
    ] = [],  # noqa: B006 - typer's way to say "none"
    http_host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            envvar="PODWRIGHT_HTTP_HOST",
            help="Address for probes and metrics. `::` means all, IPv6 and IPv4.",
        ),
    ] = "::",
    http_port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            envvar="PODWRIGHT_HTTP_PORT",
            min=0,
            max=65535,
            help="Port for probes and metrics; 0 picks a free one.",
        ),
    ] = 8080,
    accounting: Annotated[
        Accounting,
        typer.Option(
            envvar="PODWRIGHT_ACCOUNTING",
            case_sensitive=False,
            help="Exact: a finalizer keeps each pod until its end is on record. Bulk: none does, which saves a write for each"
            " pod; one that ends and is deleted while no operator watches leaves no trace and runs again.",
        ),
    ] = Accounting.EXACT,
    events: Annotated[
        EventLevel,
        typer.Option(
            envvar="PODWRIGHT_EVENTS",
            case_sensitive=False,
            help="Kubernetes Events of jobs. Off: none. Problems: retries, refusals, stops and bad ends, and successes that came"
            " after one. All: starts and plain successes too, at an API write each.",
        ),
    ] = EventLevel.PROBLEMS,
    fence: Annotated[
        bool,
        typer.Option(
            envvar="PODWRIGHT_FENCE",
            help="Lead only if the admission policy that fences out former leaders is in force.",
        ),
    ] = True,
    highest_concurrency: Annotated[
        int,
        typer.Option(
            metavar="N",
            envvar="PODWRIGHT_HIGHEST_CONCURRENCY",
            min=1,
            max=1024,
            help="Maximum number of writes in flight.",
        ),
    ] = 64,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", envvar="PODWRIGHT_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Run the operator until SIGTERM. Exits with 1 if it loses its Lease, to be restarted."""
    # kopf and aiohttp take most of a second to import; other commands must not wait for them.
    from podwright.adapters.entry import run_operator
    from podwright.adapters.service import PortError, new_identity
    from podwright.cli.log_format import log_to_stderr
    from podwright.kube.access import CredentialsError
    from podwright.kube.credentials import load_credentials
    from podwright.kube.paths import NAMESPACES, InvalidNameError, resource_path
    from podwright.runtime.fence import FenceMissingError, FenceUnprovenError
    from podwright.runtime.leadership import LeadershipLostError
    from podwright.runtime.settings import Settings
    from podwright.runtime.sight import BlindError

    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise CommandError(f"unknown log level {log_level!r}.", remedy="Allowed are debug, info, warning and error.")
    log_to_stderr(level=level)
    for name in (namespace, *watch_namespaces):
        try:
            resource_path(NAMESPACES, namespace=name)
        except InvalidNameError as error:
            raise CommandError(f"{error}.", remedy="`kubectl get namespaces` lists them.") from error
    settings = Settings(
        identity=identity or new_identity(),
        namespace=namespace,
        watch_namespaces=tuple(dict.fromkeys(watch_namespaces)),
        http_host=http_host,
        http_port=http_port,
        accounting=accounting,
        events=events,
        fence=fence,
        highest_concurrency=highest_concurrency,
    )
    try:
        run_operator(credentials=load_credentials(kubeconfig=kubeconfig), settings=settings)
    except CredentialsError as error:
        raise CommandError(f"{error}.", remedy="Name a kubeconfig with --kubeconfig, or run in a pod.") from error
    except (LeadershipLostError, BlindError, FenceMissingError, FenceUnprovenError) as error:
        raise CommandError(str(error)) from error
    except PortError as error:
        raise CommandError(f"{error}.", remedy="Try --http-port 0.") from error
