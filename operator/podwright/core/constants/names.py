"""Names on the wire: group, labels, annotations, finalizer, environment, and the deterministic names of pods.

Used by every layer. A pod's name is a lock (the API server lets one pod have it), so `pod_name` must give the same
name for the same job, task and attempt for ever: changing it would run an attempt twice across an upgrade.
"""

import functools
import hashlib
import re
from typing import Final, NamedTuple

GROUP: Final = "podwright.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

JOB_KIND: Final = "BatchJob"
JOB_PLURAL: Final = "batchjobs"

LABEL_JOB: Final = f"{GROUP}/job"
LABEL_JOB_UID: Final = f"{GROUP}/job-uid"
LABEL_TASK_INDEX: Final = f"{GROUP}/task-index"
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"
LABEL_SHARD: Final = f"{GROUP}/shard"
# On the Lease of an idempotency key, which names its holder by them (a Lease can't be owned by an object of another namespace).
LABEL_KEY_LEASE: Final = f"{GROUP}/idempotency-key"
ANNOTATION_JOB: Final = f"{GROUP}/job"
ANNOTATION_JOB_NAMESPACE: Final = f"{GROUP}/job-namespace"
ANNOTATION_WINDOW: Final = f"{GROUP}/dedup-window-seconds"
# On a job that runs the work of another one again: the other's uid.
ORIGINS: Final = (f"{GROUP}/redrive-of", f"{GROUP}/retry-of", f"{GROUP}/restart-of")
# On a job that goes on with the work of former ones: the uid of the first, and how many fencing tokens they may have used.
ANNOTATION_WORK: Final = f"{GROUP}/work-of"
ANNOTATION_TOKENS: Final = f"{GROUP}/tokens-before"
ANNOTATION_EPOCH: Final = f"{GROUP}/epoch"
FINALIZER: Final = f"{GROUP}/accounting"

ENV_JOB_NAME: Final = "PODWRIGHT_JOB_NAME"
ENV_JOB_UID: Final = "PODWRIGHT_JOB_UID"
ENV_TASK_INDEX: Final = "PODWRIGHT_TASK_INDEX"
ENV_TASK_ITEM: Final = "PODWRIGHT_TASK_ITEM"
ENV_TASK_COUNT: Final = "PODWRIGHT_TASK_COUNT"
ENV_ATTEMPT: Final = "PODWRIGHT_ATTEMPT"
ENV_IDEMPOTENCY_KEY: Final = "PODWRIGHT_IDEMPOTENCY_KEY"
ENV_FENCING_TOKEN: Final = "PODWRIGHT_FENCING_TOKEN"  # noqa: S105 - the name of a variable, no secret

ENV_HEARTBEAT_FILE: Final = "PODWRIGHT_HEARTBEAT_FILE"

# Keys of labels and annotations by which Argo CD and Flux mark what they would create again.
GITOPS_MARKS: Final = frozenset(
    {
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/instance",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/name",
    }
)

_NAME_LIMIT: Final = 63  # a pod's host name is cut at a DNS label's length; equal prefixes would then collide
_HASH_LENGTH: Final = 10
_INDEX_DIGITS: Final = 7
_KEY_HASH_LENGTH: Final = 40  # 160 bits: two keys that meet by chance would lose a job
_ATTEMPT_DIGITS: Final = 9
# Numbers as we write them, without leading zeros: two names must never stand for one attempt.
_POD_NAME: Final = re.compile(
    rf"(.+)-([0-9a-f]{{{_HASH_LENGTH}}})"
    rf"(?:-(0|[1-9][0-9]{{0,{_INDEX_DIGITS - 1}}}))?-(0|[1-9][0-9]{{0,{_ATTEMPT_DIGITS - 1}}})",
    re.DOTALL,
)


def pod_name(*, job_name: str, job_uid: str, task_index: int, attempt: int) -> str:
    """Name the pod of one attempt of one task: `<job name>-<hash of job uid and task>-<attempt>`, at most 63 characters."""
    return _limited(job_name, suffix=f"-{_digest(f'{job_uid}/{task_index}')}-{attempt}")


def array_pod_name(*, job_name: str, job_uid: str, index: int, attempt: int) -> str:
    """Name the pod of one attempt of one task or pack of an array: `<job name>-<hash of job uid>-<index>-<attempt>`."""
    return _limited(job_name, suffix=f"-{_digest(f'{job_uid}/array')}-{index}-{attempt}")


class PodName(NamedTuple):
    """What a pod's name says: `<stem>-<digest>[-<task index>]-<attempt>`; only the pods of arrays have the index."""

    stem: str
    digest: str
    task_index: int
    attempt: int
    of_array: bool

    def is_of(self, job_uid: str) -> bool:
        """Return whether the digest is that of this job's uid, so that no pod of another job can have the name."""
        return self.digest == _digest(f"{job_uid}/array" if self.of_array else f"{job_uid}/0")


def read_pod_name(name: str) -> PodName | None:
    """Return the parts of a name that `pod_name` or `array_pod_name` gives, None for any other.

    Read from the right: a hash has 10 digits and an index at most 7, so neither form can be taken for the other.
    """
    match = _POD_NAME.fullmatch(name)
    if match is None:
        return None
    stem, digest, index, attempt = match.groups()
    return PodName(stem, digest, 0 if index is None else int(index), int(attempt), index is not None)


def parse_pod_name(name: str) -> tuple[int, int] | None:
    """Return task index (0 for a single job) and attempt of a name that `pod_name` or `array_pod_name` gives, else None."""
    parts = read_pod_name(name)
    return None if parts is None else (parts.task_index, parts.attempt)


def lease_name(shard: int) -> str:
    """Name the Lease whose holder may act on a shard; its `leaseTransitions` is the shard's epoch."""
    return f"podwright-shard-{shard}"


def key_lease_name(*, namespace: str, key: str) -> str:
    """Name the Lease that only one job of a namespace with this `spec.idempotencyKey` gets.

    The name is a lock, so it must stay the same for ever.
    """
    digest = hashlib.sha256(f"{namespace}\n{key}".encode()).hexdigest()[:_KEY_HASH_LENGTH]
    return f"podwright-key-{digest}"


def _limited(job_name: str, *, suffix: str) -> str:
    return job_name[: _NAME_LIMIT - len(suffix)].rstrip("-.") + suffix


@functools.lru_cache(maxsize=4096)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def idempotency_key(*, work: str, task_index: int | str) -> str:
    """Return the key that is equal for all attempts of one task, so that an outside system can drop repeats.

    Args:
        work: by which the job's work is known outside (`core.job.work.work_of`).
        task_index: of the task, or a reference that stands for it.
    """
    return f"{work}/{task_index}"
