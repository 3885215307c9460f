"""What is wrong with a spec that the API server could accept but nobody could carry out.

Asked once, when a job is decoded. A job with a problem fails before anything of it runs.
"""

from collections.abc import Sequence

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
    twice = _first_repeated(items)
    if twice is not None:
        first, again = twice
        return (
            f"spec.array.items[{again}] is the same as items[{first}] ({items[first]!r:.64}): each item may appear once"
        )
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


def _first_repeated(items: Sequence[str]) -> tuple[int, int] | None:
    seen: dict[str, int] = {}
    for number, item in enumerate(items):
        first = seen.setdefault(item, number)
        if first != number:
            return first, number
    return None
