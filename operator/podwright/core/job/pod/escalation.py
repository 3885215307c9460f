"""More memory after an attempt that ran out of it: `spec.failurePolicy.onOutOfMemory`.

Kubernetes quantities are exact decimal or binary numbers; they are computed as fractions, never as floats, so that the
result is the same wherever it is computed, and no attempt's pod depends on who built it.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from podwright.core.spec import Escalation
from podwright.core.values.quantity import UNITS, parse_quantity

_MOST_TIMES: Final = 1024  # the least factor, 1.01, gives 26,000 times as much by then


def escalated(resources: Mapping[str, Any], *, escalation: Escalation, times: int) -> dict[str, Any]:
    """Return a container's `resources` after `times` attempts that ran out of memory.

    Requests and limits of memory, and of CPU if there is a maximum for it, are multiplied by the factor each time, up to the
    maximum. What is not set stays unset, and what is above the maximum already, or is no quantity, stays as it is.
    """
    factor = Fraction(str(escalation.factor)) ** min(times, _MOST_TIMES)
    result = dict(resources)
    for kind in ("requests", "limits"):
        wanted = resources.get(kind)
        if not isinstance(wanted, Mapping):
            continue
        grown = dict(wanted)
        if "memory" in grown:
            grown["memory"] = _grown(grown["memory"], factor=factor, most=escalation.max_memory, write=_bytes)
        if "cpu" in grown and escalation.max_cpu:
            grown["cpu"] = _grown(grown["cpu"], factor=factor, most=escalation.max_cpu, write=_cores)
        result[kind] = grown
    return result


def _grown(value: Any, *, factor: Fraction, most: str, write: Any) -> Any:
    try:
        present, bound = parse_quantity(str(value)), parse_quantity(most)
    except ValueError:
        return value  # the API server's words on it are better than any of ours
    more = min(present * factor, bound)
    return write(more) if more > present else value


def _bytes(amount: Fraction) -> str:
    number = math.ceil(amount)
    for unit in ("Gi", "Mi", "Ki"):
        size = int(UNITS[unit])
        if number and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


def _cores(amount: Fraction) -> str:
    thousandths = math.ceil(amount * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
