"""How large a job may be: so large that its status always fits beside it. Pure; asked by the codec of jobs.

etcd takes 1.5 MiB for an object, the status may take `core.job.array.size.STATUS_LIMIT` of that, and what cannot be recorded must not
be started. The admission policy `podwright-jobs` refuses a job at 900,000 bytes; here is counted what was stored all the same.
"""

from collections.abc import Iterable, Mapping
from typing import Final

MOST_BYTES: Final = 1_100_000


def size_problem(
    *, template: int, items: Iterable[str], annotations: Mapping[str, str] | None, labels: Mapping[str, str] | None
) -> str:
    """Return what is wrong with the size of a job, "" if nothing is. `template` is its length as stored, in bytes."""
    size = template + sum(len(item) + 3 for item in items)
    for pairs in (annotations, labels):
        size += sum(len(key) + len(value) + 6 for key, value in pairs.items()) if pairs else 0
    if size <= MOST_BYTES:
        return ""
    return (
        f"the job takes {size:,} bytes, which leaves no room for its status: at most {MOST_BYTES:,} are allowed for template, items,"
        " labels and annotations; pass large inputs by reference, or split spec.array.items over several jobs"
    )
