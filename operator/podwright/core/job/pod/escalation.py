"""More memory after an attempt that ran out of it: `spec.failurePolicy.onOutOfMemory`.

Kubernetes quantities are exact decimal or binary numbers; they are computed as fractions, never as floats, so that the
result is the same wherever it is computed, and no attempt's pod depends on who built it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from podwright.core.spec import Escalation
from podwright.core.values.quantity import UNITS, parse_quantity

_KINDS: Final = ("requests", "limits")
_CONTAINER_LISTS: Final = ("initContainers", "containers")
_MOST_TIMES: Final = 1024  # the least factor, 1.01, gives 26,000 times as much by then


def with_more(spec: Mapping[str, Any], *, escalation: Escalation, times: int) -> dict[str, Any]:
    """Return a pod's spec after `times` attempts that ran out of memory.

    Requests and limits of memory, and of CPU if there is a maximum for it, of all containers, init containers too, and of the pod
    itself, are multiplied by the factor each time, up to the maximum. What is not set stays unset, and what is above the maximum
    already, or is no quantity, stays as it is. Where the pod has resources of its own, all grow as far as these can: the API server
    refuses containers that together ask for more than their pod.
    """
    if not times:
        return dict(spec)
    factor = Fraction(str(escalation.factor)) ** min(times, _MOST_TIMES)
    growths = [_Growth("memory", factor, escalation.max_memory, _bytes, Fraction(1))]
    if escalation.max_cpu:
        growths.append(_Growth("cpu", factor, escalation.max_cpu, _cores, Fraction(1, 1000)))
    own = spec.get("resources")
    if own:
        growths = [growth.within(own) for growth in growths]
    result = dict(spec)
    if own:
        result["resources"] = _grown(own, growths)
        growths = [growth._replace(down=True) for growth in growths]
    for key in _CONTAINER_LISTS:
        if spec.get(key):
            result[key] = [
                {**container, "resources": _grown(container["resources"], growths)}
                if container.get("resources")
                else container
                for container in spec[key]
            ]
    return result


def escalation_problem(spec: Mapping[str, Any]) -> str:
    """Return that a pod's spec has no memory that could grow, "" if it has."""
    holders = [spec, *(container for key in _CONTAINER_LISTS for container in spec.get(key) or ())]
    if any("memory" in (_kind(holder.get("resources"), kind)) for holder in holders for kind in _KINDS):
        return ""
    return (
        "spec.failurePolicy.onOutOfMemory has nothing to grow, since the template asks for no memory:"
        " set spec.template.spec.containers[].resources.limits.memory"
    )


class _Growth(NamedTuple):
    """How much of one resource there is to be: `factor` times what the template says, at most `most`, in whole units."""

    resource: str
    factor: Fraction
    most: str
    write: Callable[[int | Fraction], str]
    unit: Fraction
    down: bool = False

    def within(self, pod: Mapping[str, Any]) -> "_Growth":
        """Return the growth by which the pod's own resources don't exceed the maximum."""
        present = [_kind(pod, kind).get(self.resource) for kind in _KINDS]
        factors = [self._possible(value) for value in present if value is not None]
        return self._replace(factor=min([self.factor, *factors]))

    def of(self, value: Any) -> Any:
        """Return a quantity after the growth."""
        try:
            present, bound = parse_quantity(str(value)), parse_quantity(self.most)
        except ValueError:
            return value  # the API server's words on it are better than any of ours
        # Rounded down where containers share a pod's own resources: rounded up they could be more than these.
        whole = math.floor if self.down else math.ceil
        more = whole(min(present * self.factor, bound) / self.unit) * self.unit
        return self.write(more) if more > present else value

    def _possible(self, value: Any) -> Fraction:
        try:
            present, bound = parse_quantity(str(value)), parse_quantity(self.most)
        except ValueError:
            return self.factor
        return max(Fraction(1), min(self.factor, bound / present)) if present > 0 else self.factor


def _grown(resources: Mapping[str, Any], growths: Sequence[_Growth]) -> dict[str, Any]:
    result = dict(resources)
    for kind in _KINDS:
        wanted = _kind(resources, kind)
        more = {growth.resource: growth.of(wanted[growth.resource]) for growth in growths if growth.resource in wanted}
        if more:
            result[kind] = {**wanted, **more}
    return result


def _kind(resources: Any, kind: str) -> Mapping[str, Any]:
    """Return the requests or the limits; empty if there are none, or what stands there is none."""
    found = resources.get(kind) if isinstance(resources, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _bytes(amount: int | Fraction) -> str:
    number = math.ceil(amount)
    for unit in ("Gi", "Mi", "Ki"):
        size = int(UNITS[unit])
        if number and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)


def _cores(amount: int | Fraction) -> str:
    thousandths = math.ceil(amount * 1000)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
