"""What is wrong with a job whose tasks are to be packed, as far as the API server could not find out."""

import re
from typing import Any, Final

from podwright.core.spec import ArraySpec

# The kernel takes 2 MiB of arguments and variables, the API server 1.5 MiB of a pod; the rest is for the template.
_MOST_ITEM_BYTES: Final = 1_000_000
_SHELL_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def pack_problem(*, spec: dict[str, Any], array: ArraySpec) -> str:
    """Return why the tasks can't be packed into pods of this spec, "" if they can."""
    first = (spec.get("containers") or [{}])[0]
    if not first.get("command"):
        return (
            "packed arrays need command in the first container: add spec.template.spec.containers[0].command,"
            " since what the image itself would run isn't known"
        )
    for variable in first.get("env") or []:
        if not _SHELL_NAME.fullmatch(variable.get("name", "")):
            return (
                f"packed arrays can't pass on the variable {variable.get('name', '')!r:.64} of the first container:"
                " use only letters, digits and underscores in names, which a shell runs the tasks with"
            )
    size = _largest_pack(array)
    if size > _MOST_ITEM_BYTES:
        return (
            f"the items of a pack of {array.pack} can take {size} bytes, but a pod holds {_MOST_ITEM_BYTES}:"
            " make spec.array.pack smaller"
        )
    return ""


def _largest_pack(array: ArraySpec) -> int:
    """Return the bytes of the items of the largest pack that can be: after retries any tasks can come together."""
    # 8 bytes for the index beside each item, and for the doubled $ that keeps the kubelet from reading them.
    sizes = [len(item.encode()) + item.count("$") + 8 for item in array.items]
    return sum(sizes) if sum(sizes) <= _MOST_ITEM_BYTES else sum(sorted(sizes)[-array.pack :])
