"""The tables of arrays and of packed tasks. Pure; called by `report`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from tests.bench import counters
from tests.bench.summary import writes_of
from tests.bench.tables import Table, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.result import ArrayRecordRun, ArrayRun, PackedRun, Result, Round, TenantsRun


def tables(result: Result) -> list[Table]:
    """A table for each part that was measured."""
    found = []
    if result.array is not None:
        found.append(_array(result.array, result.bulk_array))
    if result.record is not None:
        found.append(_record(result.record))
    if result.packed is not None:
        found.append(_packed(result.packed))
    if result.tenants is not None:
        found.append(_tenants(result.tenants))
    return found


def _array(array: ArrayRun, bulk: ArrayRun | None) -> Table:
    nothing = ["-"] * len(array.pods)
    rows = [
        [
            "tasks/s, all ends on record",
            *_of_pods(array, lambda pods: pods.jobs_per_second),
            number(array.tasks_per_second),
        ],
        ["tasks/s, all pods let go", *nothing, number(array.tasks / array.released_seconds)],
    ]
    for title, user in (("operator's", counters.OPERATOR), ("everybody's", counters.EVERYBODY)):
        there = _of_pods(array, functools.partial(writes_of, user))
        rows.append([f"{title} writes per task", *there, number(writes_of(user, array))])
    rows += [[key, *(_writes(pods, key) for pods in array.pods), _writes(array, key)] for key in _keys(array)]
    for process in sorted(array.cpu):
        each: tuple[Round | ArrayRun, ...] = (*array.pods, array)
        rows.append([f"CPU per task: {process}", *(f"{number(1000 * one.cpu[process])} ms" for one in each)])
    rows += [
        ["largest status", *nothing, f"{array.status_bytes / 1024:.1f} KiB"],
        ["operator's memory before", *nothing, f"{array.resident_before:.0f} MiB"],
        ["operator's memory, highest", *nothing, f"{array.resident_highest:.0f} MiB"],
        ["operator's memory after", *nothing, f"{array.resident_after:.0f} MiB"],
        [
            "cores that other programs kept busy",
            *_of_pods(array, lambda pods: pods.other_load),
            number(array.other_load),
        ],
    ]
    return Table(
        title=f"An array of {array.tasks} tasks",
        columns=["", "as many bare pods, before", "after", f"array, {array.parallelism} at once"],
        rows=rows,
        text="Measured once, on the cluster of the rounds: first the bare pods, all submitted as a burst, then the array, then"
        " the bare pods again. The same client watches all pods of each. Bare pods are done when they have ended; nobody accounts for them."
        f" The operator's Lease is apart: {array.lease_writes:.2f} writes per second."
        + ("" if bulk is None else _bulk(bulk)),
    )


def _of_pods(array: ArrayRun, value: Callable[[Round], float]) -> list[str]:
    return [number(value(pods)) for pods in array.pods]


def _bulk(array: ArrayRun) -> str:
    writes = number(writes_of(counters.OPERATOR, array))
    return (
        f" With bulk accounting an array of {array.tasks} takes {writes} writes of the operator per task, and"
        f" {number(array.tasks_per_second)} tasks end per second."
    )


def _keys(array: ArrayRun) -> list[str]:
    return sorted(array.writes, key=lambda key: (key.startswith(f"{counters.EVERYBODY}: "), key))


def _writes(measured: Round | ArrayRun, key: str) -> str:
    return f"{measured.writes.get(key, 0.0):.3f}"


def _record(record: ArrayRecordRun) -> Table:
    return Table(
        title=f"The records of arrays of {record.tasks} tasks",
        columns=["", "measured"],
        rows=[
            ["arrays", f"{record.arrays}"],
            ["ranges of tasks on record, each", f"{record.ranges}"],
            ["operator's memory before", f"{record.resident_before:.1f} MiB"],
            ["operator's memory, highest", f"{record.resident_highest:.1f} MiB"],
            ["operator's memory after", f"{record.resident_after:.1f} MiB"],
            ["memory per task", f"{number(record.bytes_per_task)} B"],
            ["largest status", f"{record.status_bytes / 1024:.1f} KiB"],
        ],
        text="The operator alone. It takes the arrays over half done, with gaps all over them, runs some of their tasks and"
        " ends them. Pods are not counted: whatever they belong to, each that is there takes memory of its own.",
    )


def _packed(packed: PackedRun) -> Table:
    return Table(
        title=f"{packed.tasks} packed tasks on a real node",
        columns=["", "a pod for each task", f"{packed.pack} tasks in a pod"],
        rows=[
            ["tasks", f"{packed.single_tasks}", f"{packed.tasks}"],
            ["pods at once", f"{packed.single_tasks}", f"{packed.parallelism}"],
            ["tasks at once in a pod", "1", f"{packed.pack_parallelism}"],
            ["seconds", number(packed.single_seconds), number(packed.seconds)],
            ["tasks/s", number(packed.single_per_second), number(packed.tasks_per_second)],
        ],
        text="Both are arrays on a cluster of its own with one real node, on this machine; each task runs `true` in a container"
        f" of busybox. Packed it is {number(packed.tasks_per_second / packed.single_per_second)} times as many per second.",
    )


def _tenants(tenants: TenantsRun) -> Table:
    quota, flood = tenants.quota, tenants.flood
    turn = flood.longest_turn_seconds
    return Table(
        title="Tenants beside each other",
        columns=["", "measured"],
        rows=[
            [
                f"jobs/s beside {tenants.refused_jobs} refused jobs, as a part of those without",
                f"{tenants.ratio_beside_refused:.2f}",
            ],
            [
                f"requests per task, {quota.tasks} tasks under a quota of {quota.pods} pods",
                number(quota.requests_per_task),
            ],
            ["part of that quota that was busy", f"{100 * quota.busy:.0f} %"],
            [f"memory, highest, with {flood.arrays} large arrays", f"{flood.resident_highest:.0f} MiB"],
            ["longest turn of the event loop", "-" if turn is None else f"{1000 * turn:.0f} ms"],
        ],
        text="On a cluster of its own. The refused jobs, of another namespace, wait for what never comes, have pods that are"
        " refused, or a webhook that never answers. The large arrays have a parallelism of"
        f" {flood.parallelism} and templates of {flood.template_bytes} bytes, under a quota.",
    )
