"""The order of events of `podwright dev demo`."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import dev
from podwright.cli.errors import CommandError

if TYPE_CHECKING:
    from podwright.cli.demo.jobs import Job
    from podwright.cli.demo.operator_process import OperatorProcess
    from podwright.devcluster import DevCluster, Reporter

NAMESPACE = "podwright-demo"
_RUN_SECONDS = 180.0
"""Within this the examples must have ended. They take about a quarter of a minute."""
_REMOVE_SECONDS = 60


def demo(
    data: dev.DataOption,
    nodes: Annotated[
        dev.Nodes,
        typer.Option(
            help="real: containers run on this machine (Linux, root). fake: pods are simulated. auto: real where possible."
        ),
    ] = dev.Nodes.AUTO,
    cluster: Annotated[
        dev.Cluster,
        typer.Option(help="kind: in a container engine. embedded: as processes here. auto: kind if an engine answers."),
    ] = dev.Cluster.AUTO,
) -> None:
    """Run the examples on a cluster with Podwright.

    Uses the cluster that is there already, or starts one. Cluster and operator go on afterwards, to be explored. Exits
    with 1 if an example didn't end as it should.
    """
    from podwright.cli.progress import show_progress
    from podwright.devcluster.spec import ClusterKind, ClusterSpec, NodeKind
    from podwright.devcluster.up import open_cluster
    from podwright.devcluster.up import up as bring_up

    began = time.monotonic()
    spec = ClusterSpec(data_directory=data, nodes=None if nodes is dev.Nodes.AUTO else NodeKind(nodes.value))
    kind = None if cluster is dev.Cluster.AUTO else ClusterKind(cluster.value)
    with dev.errors_for_the_user():
        found = open_cluster(data)
        left = _what_stays(data) if found is not None else "What was started has been ended."
        with dev.ending_in_order(left=left), show_progress() as reporter:
            running = bring_up(spec, cluster=kind, reporter=reporter)
        with dev.ending_in_order(left=_what_stays(data)):
            _run(running, data=data, began=began)


def _what_stays(data: Path) -> str:
    argument = dev.data_argument(data)
    return (
        f"The cluster in {data} stays as it is.\n"
        f"Go on: {_podwright()} dev demo{argument}\nRemove it: {_podwright()} dev down{argument}"
    )


def _podwright() -> str:
    """Return what to type for this very program: `make demo` runs one that isn't on PATH."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "__main__.py":
        return f"{sys.executable} -m podwright"
    found = shutil.which(script.name)
    if found is not None and Path(found).absolute() == script:
        return script.name
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)


def _run(cluster: DevCluster, *, data: Path, began: float) -> None:
    from podwright.cli.demo.install import manifests_directory
    from podwright.cli.demo.jobs import PROMISES
    from podwright.cli.demo.operator_process import OperatorProcess
    from podwright.cli.demo.show import plain_table
    from podwright.cli.progress import show_progress

    operator = OperatorProcess(cluster, data_directory=data)
    examples = [manifests_directory() / "examples" / f"{name}.yaml" for name in PROMISES]
    with show_progress() as reporter:
        metrics = _prepare(cluster, operator, examples=examples, reporter=reporter)
    print(f"{dev.what_pods_are(cluster)} The examples run in namespace {NAMESPACE}:\n")
    for name, promise in PROMISES.items():
        print(f"  {name:<10} {promise.story}")
    print(flush=True)
    jobs = _follow(cluster, examples=examples)
    print(f"\n{plain_table(list(jobs.values()), now=time.time())}\n")
    print(_logs(cluster))
    print(_what_next(cluster, operator, data=data, metrics=metrics))
    if broken := [
        f"{name} {word}" for name, promise in PROMISES.items() if (word := promise.broken_by(jobs.get(name)))
    ]:
        raise CommandError(
            "Not every example ended as it should:\n" + "\n".join(f"  {line}" for line in broken),
            remedy=f"What the operator did is in {operator.log_file}.",
        )
    print(f"\nAll examples ended as they should. That took {time.monotonic() - began:.0f} s.")


def _prepare(cluster: DevCluster, operator: OperatorProcess, *, examples: list[Path], reporter: Reporter) -> str:
    """Install, start the operator, and remove what a former demo left; return the address of the metrics."""
    from podwright.cli.demo.install import install
    from podwright.cli.demo.jobs import PROMISES

    @contextlib.contextmanager
    def step(name: str, position: int) -> Iterator[None]:
        started = time.monotonic()
        reporter.step_started(name, position=position, total=3)
        yield
        reporter.step_finished(name, elapsed=time.monotonic() - started)

    with step("installing Podwright", 1):
        install(cluster, namespace=NAMESPACE)
    with step("starting the operator", 2):
        metrics = operator.start()
    with step("removing what a former demo left", 3):
        names = [f"--filename={path}" for path in examples]
        limit = f"--timeout={_REMOVE_SECONDS}s"
        cluster.kubectl("delete", f"--namespace={NAMESPACE}", "--ignore-not-found", limit, *names)
        # Their pods go a moment later, and would only confuse whoever lists pods now.
        selector = f"--selector=podwright.dev/job in ({','.join(PROMISES)})"
        cluster.kubectl("delete", "pods", f"--namespace={NAMESPACE}", limit, selector)
    return metrics


def _follow(cluster: DevCluster, *, examples: list[Path]) -> dict[str, Job]:
    """Apply the examples and show them until all have ended or the time is over; cancel the one that is to be."""
    from podwright.cli.demo.jobs import CANCELLED, PROMISES
    from podwright.cli.demo.show import show_jobs
    from podwright.cli.demo.watch import JobWatch, follow
    from podwright.core.model.phase import Phase

    jobs: dict[str, Job] = {}
    cancelled = False
    with JobWatch(cluster, namespace=NAMESPACE) as watch, show_jobs() as view:
        cluster.kubectl("apply", f"--namespace={NAMESPACE}", *(f"--filename={path}" for path in examples))
        for changed in follow(watch, seconds=_RUN_SECONDS):
            if changed is not None and changed.name in PROMISES:
                jobs[changed.name] = changed
            jobs = {name: jobs[name] for name in PROMISES if name in jobs}
            view.show(jobs, changed=changed)
            if not cancelled and CANCELLED in jobs and jobs[CANCELLED].phase == Phase.RUNNING:
                cancelled = True
                patch = '{"spec":{"cancel":"Graceful"}}'
                cluster.kubectl(
                    "patch", "bj", CANCELLED, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}"
                )
            if len(jobs) == len(PROMISES) and all(job.over for job in jobs.values()):
                break
    return jobs


def _logs(cluster: DevCluster) -> str:
    from podwright.cli.printable import several_lines
    from podwright.devcluster import KubectlError, NodeKind

    if cluster.nodes is NodeKind.FAKE:
        return "There are no logs to show: no container ran, since pods are simulated.\n"
    arguments = (f"--namespace={NAMESPACE}", "--selector=podwright.dev/job=retried", "--prefix", "--tail=-1")
    try:
        written = cluster.kubectl("logs", *arguments)
    except KubectlError as error:
        # Shown, but no reason to leave out the rest.
        written = str(error)
    shown = "\n".join(f"  {several_lines(line)}" for line in sorted(written.splitlines()))
    return f"What the pods of retried wrote:\n\n  $ kubectl logs {' '.join(arguments)}\n{shown}\n"


def _what_next(cluster: DevCluster, operator: OperatorProcess, *, data: Path, metrics: str) -> str:
    argument = dev.data_argument(data)
    setup = [line for line in dev.shell_lines(cluster) if line.startswith("export ")]
    lines = [
        "Cluster and operator go on. To look further:",
        "",
        *(f"  {line}" for line in setup),
        f"  kubectl get bj --namespace={NAMESPACE} --output=wide",
        f"  podwright why timeout --namespace={NAMESPACE}",
        f"  kubectl describe bj retried --namespace={NAMESPACE}",
        "  kubectl explain bj.spec",
        f"  curl {metrics}",
        f"  less {operator.log_file}",
        "",
        *([images, ""] if (images := dev.available_images(cluster)) else []),
        f"To see it again: {_podwright()} dev demo{argument}",
        f"To remove everything: {_podwright()} dev down{argument}",
    ]
    return "\n".join(lines)
