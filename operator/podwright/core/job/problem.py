"""What is wrong with a spec that the API server could accept but nobody could carry out.

Asked once, when a job is decoded. A job with a problem fails before anything of it runs.
"""

from collections.abc import Sequence

from podwright.core.constants.limits import MOST_VARIABLE_BYTES
from podwright.core.constants.names import ENV_TASK_ITEM
from podwright.core.values.index_set import IndexSet


def array_problem(
    *,
    size: int,
    items: Sequence[str],
    tasks: IndexSet | None,
    success: IndexSet | None,
    success_count: int | None = None,
    sequential: bool = False,
    pack: int = 1,
) -> str:
    """Return what is wrong with an array, "" if nothing is. The sets and the count are None where none is given."""
    if sequential and pack > 1:
        return (
            f"spec.array.sequential can't be combined with spec.array.pack ({pack}): the tasks of a pack share a pod, in which"
            " a task that fails doesn't keep the next one from starting; leave out one of the two"
        )
    unusable = _unusable_item(items)
    if unusable:
        return unusable
    for field, indexes in (("indexes", tasks), ("successPolicy.indexes", success)):
        if indexes is not None and indexes and indexes.ranges[-1][1] >= size:
            return (
                f"spec.array.{field} names index {indexes.ranges[-1][1]}, but the array has {size} tasks:"
                f" allowed are 0 to {size - 1}"
            )
    if tasks is not None and success is not None and success - tasks:
        missing = next(iter(success - tasks))
        return f"spec.array.successPolicy.indexes names index {missing}, which spec.array.indexes leaves out"
    wanted = tasks if success is None else success
    among = size if wanted is None else len(wanted)
    if success_count is not None and success_count > among:
        return f"spec.array.successPolicy.count is {success_count}, but only {among} tasks can count: it must be at most that"
    return ""


def _unusable_item(items: Sequence[str]) -> str:
    """Return why an item can't be handed to its task, "" if each can: nothing but the kernel's bounds of a variable matters."""
    room = MOST_VARIABLE_BYTES - len(ENV_TASK_ITEM) - 1
    # Asked of all together first, since it is asked whenever a job is decoded. A character has at most four bytes.
    if "\0" not in "".join(items) and 4 * max(map(len, items), default=0) <= room:
        return ""
    for number, item in enumerate(items):
        if "\0" in item:
            return f"spec.array.items[{number}] contains a NUL character, which a variable can't hold: remove it"
        if len(item.encode()) > room:
            return (
                f"spec.array.items[{number}] takes {len(item.encode())} bytes, but a variable holds {room}:"
                " put the data elsewhere and list where it is"
            )
    return ""
