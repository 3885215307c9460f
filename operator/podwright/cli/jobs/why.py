"""`podwright why`: what a job waits for, or why it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from podwright.cli import options

if TYPE_CHECKING:
    from podwright.cli.connection import Object
    from podwright.cli.job_client import JobClient
    from podwright.cli.jobs.sentence import Facts, Leader

_PODS_ASKED = 5


def why(
    *,
    names: options.NeededNames,
    system_namespace: Annotated[
        str, typer.Option(envvar="PODWRIGHT_NAMESPACE", metavar="NAME", help="Namespace of the operator.")
    ] = "podwright-system",
    place: options.Place,
) -> None:
    """Say in a sentence what a job waits for, or why it ended.

    Reads the job, its pods and their events, the jobs that it depends on, and the operator's Lease.
    """
    from podwright.cli.jobs.sentence import why as sentence

    client = place.client()
    for job in [client.read(name) for name in dict.fromkeys(names)]:
        print(sentence(_facts(client, job, system_namespace=system_namespace)), flush=True)


def _facts(client: JobClient, job: Object, *, system_namespace: str) -> Facts:
    import time

    from podwright.cli.errors import CommandError
    from podwright.cli.jobs.sentence import Facts, Leader
    from podwright.cli.jobs.state import finished, spec_of
    from podwright.cli.output import remark

    if finished(job):
        return Facts(job=job, now=time.time())
    try:
        pods = client.pods(job)
    except CommandError as error:  # without the right to see pods there is still something to tell
        remark(error.problem)
        pods = []
    names = [str(each.get("name", "")) for each in spec_of(job).get("dependsOn") or ()]
    leader = find_leader(client, namespace=job["metadata"]["namespace"], system_namespace=system_namespace)
    return Facts(
        job=job,
        now=time.time(),
        pods=pods,
        events=_events(client, pods),
        others={name: client.find(name, namespace=job["metadata"]["namespace"]) for name in names},
        leader=leader or Leader(),
    )


def _events(client: JobClient, pods: list[Object]) -> dict[str, list[Object]]:
    """Read the events of some pods that don't run yet, by pod; they name missing volumes, ConfigMaps and nodes."""
    from podwright.cli.failures import Unreachable
    from podwright.kube.errors import StatusError
    from podwright.kube.paths import EVENTS, resource_path

    found: dict[str, list[Object]] = {}
    waiting = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Pending"]
    for pod in waiting[:_PODS_ASKED]:
        meta = pod["metadata"]
        query = {"fieldSelector": f"involvedObject.uid={meta.get('uid', '')}", "limit": "100"}
        try:
            answer = client.connection.get(resource_path(EVENTS, namespace=meta["namespace"]), query)
        except (StatusError, Unreachable):
            break  # without them there is still something to say
        found[str(meta["name"])] = list(answer.get("items") or ())
    return found


def find_leader(client: JobClient, *, namespace: str, system_namespace: str) -> Leader | None:
    """Find out who acts on the jobs of a namespace; None if we may not know."""
    import time

    from podwright.cli.jobs.leader import leader_of
    from podwright.core.constants.names import lease_name
    from podwright.kube.errors import StatusError

    leases: list[Object] = []
    try:
        # One by one: beside those of the shards there may be any number of Leases in that namespace.
        while (lease := _find_lease(client, lease_name(len(leases)), namespace=system_namespace)) is not None:
            leases.append(lease)
    except StatusError:
        return None
    return leader_of(
        leases, namespace=namespace, system_namespace=system_namespace, now=time.time() + client.connection.clock_offset
    )


def _find_lease(client: JobClient, name: str, *, namespace: str) -> Object | None:
    from podwright.kube.errors import StatusError
    from podwright.kube.paths import LEASES, resource_path

    try:
        return client.connection.get(resource_path(LEASES, namespace=namespace, name=name))
    except StatusError as error:
        if error.proves_absence(LEASES, name):
            return None
        raise
