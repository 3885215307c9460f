"""The command of a container that runs the tasks of a pack: the runner, the job's own command, and the tasks.

The kubelet replaces $(NAME) in a container's command and arguments, but can't know the variables that differ from task to task. So
the job's command is cut at references to those; the pieces go through the kubelet as arguments, as they always do, and a generated
shell function puts them together with the task's values. Nothing that a user wrote becomes shell text.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

from podwright.core.constants import names
from podwright.core.job.pack.report import LONGEST
from podwright.core.job.pack.runner import RUNNER
from podwright.core.job.pod.environment import TASK_VARIABLES, literal
from podwright.core.values.index_set import IndexSet

GRACE: Final = 5  # seconds between SIGTERM and SIGKILL for a task whose time is over
_DEFAULT_MESSAGE_PATH: Final = "/dev/termination-log"
_ALL_MESSAGES: Final = 12288  # bytes that the kubelet keeps for all containers of a pod, divided equally


def packed(
    container: dict[str, Any],
    *,
    tasks: IndexSet,
    work: str,
    items: tuple[str, ...],
    parallelism: int,
    limit: float | None,
    containers: int,
    grace: int = GRACE,
) -> dict[str, Any]:
    """Return the container with its command replaced by the runner of these tasks.

    Args:
        container: the template's, with a command.
        tasks: indexes, at least one.
        work: the part of the tasks' idempotency keys that they share.
        items: of all tasks of the array, by index; empty if it has none.
        parallelism: most tasks at once.
        limit: seconds for one task; None is no limit.
        containers: how many containers the pod has in all, init containers included; they share the room for messages.
        grace: seconds between SIGTERM and SIGKILL.
    """
    slots = min(parallelism, len(tasks))
    room = min(LONGEST, _ALL_MESSAGES // containers) - 1  # a line end follows
    pieces = [literal(container.get("terminationMessagePath") or _DEFAULT_MESSAGE_PATH)]
    own, function = _task_function(container, work=work, pieces=pieces, with_items=bool(items))
    settings = (
        f"_pw_total={len(tasks)} _pw_slots={slots} _pw_limit={math.ceil(limit or 0)} _pw_grace={grace}"
        f" _pw_room={room} _pw_most={room - min(room // 2, 64 + 20 * slots)} _pw_items={'1' if items else ''}\n"
        f"_pw_file=$1 {' '.join(f'_pw_{n}=${{{n + 1}}}' for n in range(1, len(pieces)))}\nshift {len(pieces)}\n"
    )
    return {
        **container,
        "env": own,
        "command": ["sh", "-c", literal(settings + function + RUNNER), "podwright"],
        "args": [*pieces, *_task_arguments(tasks, items)],
    }


def _task_arguments(tasks: IndexSet, items: tuple[str, ...]) -> Iterator[str]:
    if items:
        for index in tasks:
            yield str(index)
            yield literal(items[index])
    else:
        for low, high in tasks.ranges:
            yield str(low) if low == high else f"{low}-{high}"


def _task_function(
    container: dict[str, Any], *, work: str, pieces: list[str], with_items: bool
) -> tuple[list[dict[str, Any]], str]:
    """Return the variables that stay the pod's, and the shell function that becomes a task. Adds to `pieces`."""
    key = names.idempotency_key(work=work, task_index=f"$({names.ENV_TASK_INDEX})")
    assignments = [
        f"{names.ENV_TASK_INDEX}=$_pw_index",
        f"{names.ENV_IDEMPOTENCY_KEY}={_word(key, {names.ENV_TASK_INDEX}, pieces)}",
    ]
    if with_items:
        assignments.append(f"{names.ENV_TASK_ITEM}=$_pw_item")
    changing = set(TASK_VARIABLES if with_items else TASK_VARIABLES - {names.ENV_TASK_ITEM})
    own = []
    for variable in container.get("env") or []:
        name, value = variable.get("name", ""), variable.get("value") or ""
        if name in TASK_VARIABLES:
            continue
        if any(reference for _, reference in split(value, changing)):
            assignments.append(f"{name}={_word(value, changing, pieces)}")
            changing.add(name)
        else:
            own.append(variable)
    words = [_word(text, changing, pieces) for text in (*container["command"], *(container.get("args") or []))]
    exported = " ".join(assignment.partition("=")[0] for assignment in assignments)
    lines = ("_pw_task() {", *assignments, f"export {exported}", f"exec {' '.join(words)}", "}")
    return own, "\n".join(lines) + "\n"


def _word(text: str, changing: set[str], pieces: list[str]) -> str:
    """Return the shell word that stands for a text, whose pieces are added to `pieces`."""
    word = ""
    for piece, reference in split(text, changing):
        if piece:
            word += f"${{_pw_{len(pieces)}}}"
            pieces.append(piece)
        if reference:
            word += f"${{{reference}}}"
    return f'"{word}"'


def split(text: str, changing: set[str]) -> Iterator[tuple[str, str]]:
    """Cut a text at references to some variables: pairs of what comes before and the variable's name, "" at the end.

    By the kubelet's own rules: $$ is an escaped $, a $ with anything but ( behind it stands for itself, and so does one
    whose ) is missing.
    """
    start = at = 0
    while (at := text.find("$", at)) >= 0:
        end = text.find(")", at) if text[at + 1 : at + 2] == "(" else -1
        if end < 0:
            at += 2
            continue
        if text[at + 2 : end] in changing:
            yield text[start:at], text[at + 2 : end]
            start = end + 1
        at = end + 1
    yield text[start:], ""
