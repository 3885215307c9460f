"""What is wrong with a job's pod template that the API server may have accepted. Asked when a job is decoded, like `problem`."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from podwright.core.job.pack.problem import pack_problem
from podwright.core.job.pod.escalation import escalation_problem
from podwright.core.job.pod.heartbeat import heartbeat_problem
from podwright.core.spec import ArraySpec, Escalation

MOST_LEVELS: Final = 100
"""How deeply a template may be nested; a pod has no more than some twenty levels."""

# What only a template with such a problem has in its JSON; or, of Always, few others. Each search reads all of it, up to a megabyte.
_LONG: Final = 4_096
_NUL: Final = b"\\u0000"
_RESTARTED: Final = b'"restartPolicy'
_SUSPICIOUS: Final = (b'"restartPolicyRules"', b'"OnFailure"', b'"Always"')
_RESTARTS: Final = {"initContainers": ("Never", "Always"), "containers": ("Never",)}


def template_problem(
    *, template: bytes, array: ArraySpec | None, progress: float | None, escalation: Escalation | None = None
) -> str:
    """Return what is wrong, "" if nothing is. Most jobs ask for nothing, so most templates aren't even read.

    Args:
        template: the JSON of `spec.template`.
        array: the view of `spec.array`.
        progress: the seconds of `spec.timeouts.progress`.
        escalation: the view of `spec.failurePolicy.onOutOfMemory`.

    Raises:
        msgspec.DecodeError: the template is not the JSON object that the CRD's schema promises.
    """
    packed = array if array is not None and array.pack > 1 else None
    asked = packed is not None or progress is not None or escalation is not None
    deep = _count(b"{", template) + _count(b"[", template) > MOST_LEVELS
    if not asked and not deep and not (b"\\" in template and _NUL in template) and not _may_restart(template):
        return ""
    try:
        decoded = msgspec.json.decode(template, type=dict[str, Any])
    except RecursionError:
        return _too_deep()
    spec = decoded.get("spec") or {}
    return (
        _walk_problem(decoded)
        or _restart_problem(spec)
        or (pack_problem(spec=spec, array=packed) if packed is not None else "")
        or (heartbeat_problem(spec) if progress is not None else "")
        or (escalation_problem(spec) if escalation is not None else "")
    )


def _count(letter: bytes, template: bytes) -> int:
    """Return how often a letter occurs, as far as that matters; in a quarter of a megabyte ten times faster than `bytes.count`."""
    if len(template) < _LONG:
        return template.count(letter)
    return len(template) - len(template.replace(letter, b"", MOST_LEVELS + 1))


def _may_restart(template: bytes) -> bool:
    return _RESTARTED in template and any(mark in template for mark in _SUSPICIOUS)


def _restart_problem(spec: dict[str, Any]) -> str:
    """Return which container would be started again in its pod, where no retry budget and no delivery mode knows of it."""
    for key, allowed in _RESTARTS.items():
        for number, container in enumerate(spec.get(key) or ()):
            where = f"spec.template.spec.{key}[{number}]"
            if container.get("restartPolicyRules"):
                return f"{where}.restartPolicyRules isn't supported: Podwright itself retries (see spec.retry)"
            policy = container.get("restartPolicy")
            if policy is not None and policy not in allowed:
                return (
                    f"{where}.restartPolicy is {policy!r:.64}, but only {' and '.join(allowed)} can be used:"
                    " Podwright itself retries (see spec.retry)"
                )
    return ""


def _walk_problem(template: dict[str, Any]) -> str:
    """Return which text has a character that no program can be handed, or that the template is nested too deeply."""
    # Without recursion, since a tenant decides on the depth; and the path is put into words only where it is told, since a tenant
    # decides on the number of members as well.
    path: list[str | int] = []
    levels: list[Iterator[tuple[str | int, Any]]] = [iter(template.items())]
    while levels:
        for key, value in levels[-1]:
            if isinstance(value, str):
                if "\0" in value:
                    return f"{_in_words((*path, key))} contains a NUL character, which can't be passed to a program: remove it"
            elif isinstance(value, dict | list) and value:
                if len(levels) == MOST_LEVELS:
                    return _too_deep()
                path.append(key)
                levels.append(enumerate(value) if isinstance(value, list) else iter(value.items()))
                break
        else:
            levels.pop()
            if path:
                path.pop()
    return ""


def _in_words(path: Iterable[str | int]) -> str:
    return "spec.template" + "".join(f"[{key}]" if isinstance(key, int) else f".{key:.64}" for key in path)


def _too_deep() -> str:
    return f"spec.template is nested more than {MOST_LEVELS} levels deep: no pod needs that"
