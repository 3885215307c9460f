"""The variables by which a program is told what it runs: the delivery contract (docs/explanation/guarantees.md)."""

from typing import Any, Final

from podwright.core.constants import names
from podwright.core.job.pod.attempt_pod import AttemptPod
from podwright.core.job.work import work_of
from podwright.core.model.job import JobView

# What differs between the tasks of one pod: the runner of packs sets these, the pod can't.
TASK_VARIABLES: Final = frozenset({names.ENV_TASK_INDEX, names.ENV_TASK_ITEM, names.ENV_IDEMPOTENCY_KEY})


def contract(*, job: JobView, pod: AttemptPod) -> dict[str, str]:
    """Return the variables of a pod, ready for the kubelet, which replaces $(NAME) in them."""
    array = job.array
    told = {
        names.ENV_JOB_NAME: job.name,
        names.ENV_JOB_UID: job.uid,
        names.ENV_TASK_INDEX: str(pod.task_index),
        names.ENV_ATTEMPT: str(pod.attempt),
        names.ENV_IDEMPOTENCY_KEY: names.idempotency_key(work=work_of(job), task_index=pod.task_index),
        # Attempts of one task are strictly ordered, so their number (from 1) fences a late one at an outside system,
        # which knows the task by its key: so the number goes on where former jobs with the same key ended.
        names.ENV_FENCING_TOKEN: str(job.tokens_before + pod.attempt + 1),
    }
    if array is not None:
        told[names.ENV_TASK_COUNT] = str(array.size)
        if array.items and not pod.tasks:
            told[names.ENV_TASK_ITEM] = literal(array.items[pod.task_index])
    return {name: value for name, value in told.items() if not pod.tasks or name not in TASK_VARIABLES}


def with_variables(container: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """Add variables to a container. They win, and come first: the container's own may refer to them as $(PODWRIGHT_…)."""
    own = [variable for variable in container.get("env") or [] if variable.get("name") not in variables]
    return {**container, "env": [{"name": name, "value": value} for name, value in variables.items()] + own}


def literal(text: str) -> str:
    """Write a text so that the kubelet, which reads $$ as $ and replaces $(NAME), makes that very text of it."""
    return text.replace("$", "$$")
