"""`podwright submit`: create jobs, from flags or a manifest, and wait for them if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options
from podwright.cli.errors import MisuseError

if TYPE_CHECKING:
    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient

_Pairs = list[str] | None


def submit(
    *,
    context_of_command: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", hidden=True)] = "",
    file: Annotated[
        _Pairs,
        typer.Option(
            "--filename", "-f", metavar="FILE|DIR", help="A manifest or a directory of them; - is standard input."
        ),
    ] = None,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="Container image; its command follows --.")] = "",
    env: Annotated[
        _Pairs,
        typer.Option(metavar="KEY=VALUE", help="Environment variable; KEY alone takes the value from this shell."),
    ] = None,
    env_from: Annotated[
        _Pairs, typer.Option(metavar="KIND/NAME", help="Variables from configmap/NAME or secret/NAME.")
    ] = None,
    label: Annotated[_Pairs, typer.Option(metavar="KEY=VALUE", help="Label of the job.")] = None,
    annotation: Annotated[_Pairs, typer.Option(metavar="KEY=VALUE", help="Annotation of the job.")] = None,
    cpu: Annotated[str, typer.Option(metavar="QUANTITY", help="CPU to request, such as 500m.")] = "",
    memory: Annotated[str, typer.Option(metavar="QUANTITY", help="Memory to request, such as 1Gi.")] = "",
    request: Annotated[
        _Pairs,
        typer.Option(metavar="RESOURCE=QUANTITY", help="Any resource to request, such as ephemeral-storage=1Gi."),
    ] = None,
    limit: Annotated[
        _Pairs,
        typer.Option(metavar="RESOURCE=QUANTITY", help="Resource limit, such as memory=2Gi or nvidia.com/gpu=1."),
    ] = None,
    volume: Annotated[
        _Pairs,
        typer.Option(
            metavar="SOURCE:PATH[:ro]", help="Mount pvc/NAME, configmap/NAME, secret/NAME or emptydir at a path."
        ),
    ] = None,
    service_account: Annotated[
        str, typer.Option(metavar="NAME", help="Service account of the pod, whose token is mounted.")
    ] = "",
    node_selector: Annotated[_Pairs, typer.Option(metavar="KEY=VALUE", help="Label that nodes must have.")] = None,
    retry: Annotated[int | None, typer.Option(metavar="N", min=0, help="Maximum number of retries.")] = None,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="Time limit of one attempt, such as 10m.")] = "",
    total_timeout: Annotated[str, typer.Option(metavar="DURATION", help="Time limit of all attempts together.")] = "",
    array: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Run N tasks, with PODWRIGHT_TASK_INDEX from 0 to N-1.")
    ] = None,
    items: Annotated[
        str, typer.Option(metavar="A,B", help="Run one task per item, which is in PODWRIGHT_TASK_ITEM.")
    ] = "",
    parallelism: Annotated[int | None, typer.Option(metavar="N", min=1, help="Maximum pods running at once.")] = None,
    pack: Annotated[int | None, typer.Option(metavar="N", min=1, help="Number of tasks that share a pod.")] = None,
    max_failed_tasks: Annotated[
        str, typer.Option(metavar="N|N%", help="Stop the array when more tasks than this have failed.")
    ] = "",
    priority: Annotated[int | None, typer.Option(metavar="N", help="Jobs of higher priority start first.")] = None,
    idempotency_key: Annotated[str, typer.Option(metavar="KEY", help="Only one job with this key runs.")] = "",
    depends_on: Annotated[
        _Pairs, typer.Option(metavar="NAME[:CONDITION]", help="Wait for that job, by default until it has succeeded.")
    ] = None,
    start_at: Annotated[str, typer.Option(metavar="TIME", help="Don't start before this time, or +10m from now.")] = "",
    ttl: Annotated[
        str, typer.Option(metavar="DURATION", help="Delete the job this long after it has finished, such as 7d.")
    ] = "",
    suspend: Annotated[bool, typer.Option("--suspend", help="Don't start until the job is resumed.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the job ends; exit with 0 only if it succeeded.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Like --wait, and stream the logs.")] = False,
    wait_timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Maximum time to wait; then exit with 124.")
    ] = "",
    manner: options.Manner,
    place: options.Place,
) -> None:
    """Submit a job from flags, or the jobs of manifests.

    Without a NAME one is generated. Manifests are named with --filename.

    Before a job is created, the API server is asked whether it would accept the job's pod; mistakes in the pod template
    are reported with their field.

    --env, --label, --limit, --volume, --depends-on, --filename and the like may be repeated.

    For example:

      podwright submit hello --image busybox:1 -- echo hello

      podwright submit train --image app:1 --limit nvidia.com/gpu=1 --follow

      podwright submit load --image app:1 --volume pvc/data:/data -- load /data

      podwright submit --image app:1 --items a,b -- printenv PODWRIGHT_TASK_ITEM

      podwright submit --filename jobs/ --wait --wait-timeout 1h
    """
    import os
    import time

    from podwright.cli.arguments import field_option, moment_option, seconds_option
    from podwright.cli.jobs import arguments
    from podwright.cli.jobs.flags import Flags, from_flags
    from podwright.cli.jobs.manifest import jobs_of
    from podwright.cli.jobs.state import array_of
    from podwright.cli.jobs.submission import create_all

    seconds = seconds_option(wait_timeout, option="--wait-timeout")
    lifetime = seconds_option(ttl, option="--ttl")
    if seconds is not None and not (wait or follow):
        raise MisuseError("--wait-timeout has no effect without --wait or --follow.", remedy="Add --wait.")
    if (wait or follow) and manner.dry_run is not options.DryRun.NONE:
        raise MisuseError("A dry run creates nothing to wait for.", remedy="Leave out --wait and --follow.")
    requested = arguments.resources(request or (), option="--request")
    for resource, amount in (("cpu", cpu), ("memory", memory)):
        if amount:
            requested[resource] = arguments.quantity(amount, option=f"--{resource}")
    flags = Flags(
        name=name,
        image=image,
        command=tuple(options.after_dashes(context_of_command)),
        labels=arguments.pairs(label or (), option="--label"),
        annotations=arguments.pairs(annotation or (), option="--annotation"),
        env=tuple(arguments.variables(env or (), environment=os.environ)),
        env_from=tuple(arguments.env_from(env_from or ())),
        requests=requested,
        limits=arguments.resources(limit or (), option="--limit"),
        volumes=tuple(arguments.volume(each) for each in volume or ()),
        service_account=service_account,
        node_selector=arguments.pairs(node_selector or (), option="--node-selector"),
        retry=retry,
        attempt_timeout=field_option(timeout, option="--timeout"),
        total_timeout=field_option(total_timeout, option="--total-timeout"),
        size=array,
        items=tuple(arguments.items(items)) if items else (),
        parallelism=parallelism,
        pack=pack,
        max_failed_tasks=arguments.count_or_share(max_failed_tasks, option="--max-failed-tasks"),
        priority=priority,
        idempotency_key=idempotency_key or None,
        depends_on=tuple(arguments.dependency(each) for each in depends_on or ()),
        start_at=moment_option(start_at, option="--start-at", now=time.time()),
        ttl_seconds=None if lifetime is None else round(lifetime),
        suspend=suspend,
    )
    if file and flags != Flags(name="", image=""):
        raise MisuseError(
            "--filename can't be combined with NAME or --image.",
            remedy="Leave out NAME, --image and every other flag that describes a job: the manifest does.",
        )
    if not file and not image:
        raise MisuseError(
            "What should run?", remedy="Give --image IMAGE [-- COMMAND...], or a manifest with --filename."
        )
    # A dry run by the client needs no cluster.
    client = None if manner.dry_run is options.DryRun.CLIENT else place.client()
    namespace = place.namespace if client is None else client.namespace
    if file:
        jobs = jobs_of(file, namespace=namespace, explicit=place.namespace is not None)
    else:
        jobs = [from_flags(flags, namespace=namespace)]
    if follow and (len(jobs) != 1 or array_of(jobs[0]) is not None):
        raise MisuseError(
            "--follow can only be used with a single job that is not an array.",
            remedy="Use --wait, and `podwright logs --follow` for an array.",
        )
    created = create_all(client, jobs, manner=manner, quiet=follow and manner.output is None)
    if client is not None and (follow or wait):
        raise typer.Exit(_end(client, created, seconds=seconds, follow=follow, manner=manner))


def _end(client: JobClient, jobs: list[Object], *, seconds: float | None, follow: bool, manner: options.Manner) -> int:
    from podwright.cli.jobs.submission import wait_for_end
    from podwright.cli.jobs.waiting import interruptible
    from podwright.cli.output import news, remark

    tell = remark if follow else news(manner.output)
    with interruptible(jobs):
        return wait_for_end(client, jobs, seconds=seconds, follow=follow, tell=tell)
