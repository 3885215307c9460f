"""What a job claims about more than itself, and may not: asked before each decision, with what is known of other jobs. Pure.

Annotations and namespaces are chosen by whoever submits a job. A job that goes on with the work of another one gets that one's
idempotency keys, so the other one must not be a job of another namespace. Jobs in the operator's own namespace could use its
service account.
"""

import msgspec

from podwright.core.constants.names import ANNOTATION_WORK
from podwright.core.model.job import JobView


def trusted(job: JobView, *, first: JobView | None, system_namespace: str) -> JobView:
    """Return the job, with a `problem` if it claims what it may not. `first` is the known job whose work it goes on with."""
    if job.problem or job.status.is_over:
        return job
    problem = ""
    if job.namespace == system_namespace:
        problem = f"jobs can't run in {system_namespace}, the operator's own namespace: create the job in another one"
    elif first is not None and first.namespace != job.namespace:
        problem = f"the annotation {ANNOTATION_WORK} names a job of another namespace: a job can only go on with the work of one in its own"
    return msgspec.structs.replace(job, problem=problem) if problem else job
