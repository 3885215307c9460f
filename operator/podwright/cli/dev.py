"""`podwright dev`: a cluster for development, over `podwright.devcluster`.

Only reads arguments and prints; what a cluster is and how it starts is devcluster's business. Its modules are imported
inside the commands, to keep `--help` fast.
"""

from __future__ import annotations

import contextlib
import enum
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from podwright.devcluster.cluster import DevCluster

DATA_VARIABLE = "PODWRIGHT_DATA"

app = typer.Typer(
    help="A Kubernetes cluster for development and tests. Never touches any other cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Nodes(enum.StrEnum):
    """What `--nodes` takes."""

    AUTO = "auto"
    REAL = "real"
    FAKE = "fake"


class Cluster(enum.StrEnum):
    """What `--cluster` takes."""

    AUTO = "auto"
    KIND = "kind"
    EMBEDDED = "embedded"


def default_data_directory() -> Path:
    """Return where the cluster lies by default: `podwright/cluster` below the user's state directory, also under sudo."""
    from podwright.devcluster.invoker import user_directory

    return user_directory("XDG_STATE_HOME", ".local/state") / "podwright" / "cluster"


DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar=DATA_VARIABLE,
        default_factory=default_data_directory,
        show_default="~/.local/state/podwright/cluster",
        file_okay=False,
        resolve_path=True,
        metavar="DIR",
        help="Directory that holds the whole cluster. Each directory is a cluster of its own, side by side.",
    ),
]


@app.command()
def up(
    data: DataOption,
    nodes: Annotated[
        Nodes,
        typer.Option(
            help="real: containers run on this machine (Linux, root). fake: pods are simulated. auto: real where possible."
        ),
    ] = Nodes.AUTO,
    cluster: Annotated[
        Cluster,
        typer.Option(help="kind: in a container engine. embedded: as processes here. auto: kind if an engine answers."),
    ] = Cluster.AUTO,
    fake_nodes: Annotated[
        int, typer.Option(min=0, max=10_000, metavar="N", help="Simulated nodes, beside any real ones. Embedded only.")
    ] = 0,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            resolve_path=True,
            help="Use this cluster instead of starting one.",
        ),
    ] = None,
) -> None:
    """Start a cluster, or find the running one.

    The first time its programs are built, which takes some minutes; after that a start takes seconds.
    """
    from podwright.cli.progress import show_progress
    from podwright.devcluster.spec import ClusterKind, ClusterSpec, NodeKind
    from podwright.devcluster.up import up as bring_up

    spec = ClusterSpec(
        data_directory=data,
        nodes=None if nodes is Nodes.AUTO else NodeKind(nodes.value),
        fake_node_count=fake_nodes,
    )
    kind = None if cluster is Cluster.AUTO else ClusterKind(cluster.value)
    with errors_for_the_user(), ending_in_order(), show_progress() as reporter:
        running = bring_up(spec, kubeconfig=kubeconfig, cluster=kind, reporter=reporter)
        version = running.kubernetes_version()
    print(f"Kubernetes {version} is up at {running.server}. {what_pods_are(running)}".rstrip())
    if images := available_images(running):
        print(images)
    print("\nTo use it in this shell:\n")
    print("\n".join(f"  {line}" for line in shell_lines(running)))
    if kubeconfig is None:
        print(f"\nTo remove it: podwright dev down{data_argument(data)}")


@app.command()
def down(data: DataOption) -> None:
    """End the cluster and remove everything that belongs to it. It is no error if there is none."""
    from podwright.devcluster.teardown import down as take_down

    with errors_for_the_user():
        found = take_down(data)
    print(f"The cluster in {data} is gone." if found else f"There is no cluster in {data}.")


@app.command()
def load(
    archives: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE.tar", exists=True, dir_okay=False, hidden=True),
    ],
    data: DataOption,
) -> None:
    """Load container images onto the cluster's nodes.

    The nodes don't pull images themselves. Each file is an archive as `docker save` writes it.
    """
    from podwright.devcluster.up import open_cluster

    with errors_for_the_user():
        cluster = open_cluster(data)
        if cluster is None:
            raise _no_cluster(data)
        for archive in archives:
            for name in cluster.load_image(archive):
                print(f"{name} is on the cluster's nodes.")
                if name.endswith(":latest") or ":" not in name.rpartition("/")[2]:
                    print(
                        "  Set imagePullPolicy: IfNotPresent in its pods: the default for this tag is to pull anyway."
                    )


@app.command()
def status(data: DataOption) -> None:
    """Show the cluster, its processes and its nodes. Exits with 1 if it isn't there or something has ended."""
    from podwright.devcluster.embedded import EmbeddedCluster
    from podwright.devcluster.up import open_cluster

    with errors_for_the_user():
        cluster = open_cluster(data)
        if cluster is None:
            raise _no_cluster(data)
        processes = cluster.status() if isinstance(cluster, EmbeddedCluster) else {}
        print(f"{cluster.kind} cluster at {cluster.server}. {what_pods_are(cluster)}".rstrip())
        for name, running in processes.items():
            print(f"  {name:<24} {'running' if running else 'ENDED'}")
        if ended := [name for name, running in processes.items() if not running]:
            raise CommandError(
                f"{', '.join(ended)} ended; the logs in {data / 'logs'} tell why.",
                remedy=f"Start what has ended again, with the same data: podwright dev up{data_argument(data)}",
            )
        print(cluster.kubectl("get", "nodes", timeout=20), end="")
    print("\n".join(shell_lines(cluster)))


def what_pods_are(cluster: DevCluster) -> str:
    """Return a sentence on what happens to pods there; empty if only its owner knows."""
    from podwright.devcluster.choose import SIMULATED
    from podwright.devcluster.spec import NodeKind

    if cluster.nodes is NodeKind.FAKE:
        return SIMULATED
    return "Pods run as real containers on this machine." if cluster.nodes is NodeKind.REAL else ""


def available_images(cluster: DevCluster) -> str:
    """Return a sentence on which images its pods can use; empty if any."""
    from podwright.devcluster.spec import ClusterKind, NodeKind

    if cluster.kind is not ClusterKind.EMBEDDED or cluster.nodes is not NodeKind.REAL:
        return ""
    return "Its nodes pull no images. There is busybox:1; podwright dev load IMAGE.tar brings others."


def shell_lines(cluster: DevCluster) -> list[str]:
    """Return what to type so that kubectl talks to the cluster, with the right kubectl, and `kubectl podwright` is found."""
    lines = [f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}"]
    wanted = {"podwright": _own_programs() / "podwright", "kubectl": cluster.kubectl_path}
    missing = [program.parent for name, program in wanted.items() if not _is_found(name, program)]
    if missing:
        lines.append(f"export PATH={':'.join(shlex.quote(str(path)) for path in dict.fromkeys(missing))}:$PATH")
    return [*lines, "kubectl get nodes"]


def _own_programs() -> Path:
    """Return the directory of the `podwright` that runs, or of the one that belongs to this Python."""
    script = Path(sys.argv[0]).absolute()
    return script.parent if script.name == "podwright" else Path(sys.executable).parent


def _is_found(name: str, program: Path) -> bool:
    found = shutil.which(name)
    return found is not None and Path(found).resolve() == program.resolve()


def _no_cluster(data: Path) -> CommandError:
    return CommandError(f"There is no cluster in {data}.", remedy=f"Start one: podwright dev up{data_argument(data)}")


def data_argument(data: Path) -> str:
    """Return the argument that names the same data directory again, with a leading space; empty for the default one."""
    return "" if data == default_data_directory().resolve() else f" --data {shlex.quote(str(data))}"


@contextlib.contextmanager
def errors_for_the_user() -> Iterator[None]:
    """Turn devcluster's errors into the command line's."""
    from podwright.devcluster.errors import DevClusterError

    try:
        yield
    except DevClusterError as error:
        raise CommandError(error.problem, remedy=error.remedy) from error


class _Terminated(SystemExit):
    """SIGTERM or SIGHUP came."""


@contextlib.contextmanager
def ending_in_order(*, left: str = "What was started has been ended.") -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the block like Ctrl-C does, so that what it started is ended too.

    `left` tells the user what there is after such an end, in whole sentences.
    """

    def unwind(number: int, frame: FrameType | None) -> None:
        del frame
        raise _Terminated(128 + number)

    former = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        print(f"Interrupted. {left}", file=sys.stderr)
        raise typer.Exit(128 + signal.SIGINT) from None
    except _Terminated:
        print(f"Interrupted. {left}", file=sys.stderr)
        raise
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
