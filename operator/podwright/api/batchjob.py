"""BatchJob: the spec, and the kind as a whole."""

from typing import Annotated, Literal

from pydantic import Field

from podwright.api.array import Array
from podwright.api.batchjob_status import BatchJobStatus
from podwright.api.dependency import Dependency
from podwright.api.failure_policy import FailurePolicy
from podwright.api.kind import Column, Kind
from podwright.api.model import ATOMIC_MAP, ApiModel, Rule, immutable, list_map, validated_by
from podwright.api.pod.template import PodTemplate
from podwright.api.retention import Retention
from podwright.api.scalars import Count, Delay, Int32, Moment, Timeout, delay_up_to, milliseconds, valid_duration
from podwright.core.constants import names
from podwright.core.constants.limits import LONGEST_DEDUP_WINDOW
from podwright.core.model.phase import Phase

_ANEW = "delete the job, or create another one under a new name"


class RetryPolicy(ApiModel):
    """When a failed attempt is followed by another."""

    model_config = validated_by(
        Rule(
            rule="!has(self.initial) || !has(self.max)"
            f" || !{valid_duration('self.initial')} || !{valid_duration('self.max')}"
            f" || {milliseconds('self.initial')} <= {milliseconds('self.max')}",
            message="initial is greater than max: it must be at most max",
            field_path=".initial",
        )
    )

    limit: Annotated[Int32, Field(ge=0, le=100)] = Field(
        3, description="Maximum number of retries. 0 means no retry. Default: 3."
    )
    initial: Delay | None = Field(
        None,
        description="Upper bound of the delay before the first retry, a duration. The delay is drawn at random between 0 and "
        "the bound (full jitter). Default: 10s, or max if that is shorter.",
    )
    factor: Annotated[Int32, Field(ge=1, le=10)] = Field(
        2, description="What the bound is multiplied by for each further retry. 1 keeps it constant. Default: 2."
    )
    max: Delay | None = Field(
        None,
        description="Upper bound of all delays, a duration. Default: 6m, or initial if that is longer.",
    )
    platform_limit: Annotated[Int32, Field(ge=0, le=1000)] = Field(
        10,
        description="Maximum retries after losses that aren't the job's fault, such as eviction or node loss. Default: 10.",
    )
    timeout_limit: Annotated[Int32, Field(ge=0, le=100)] | None = Field(
        None, description="Maximum retries after timeouts. Default: they count towards limit."
    )


class Timeouts(ApiModel):
    """Limits of time."""

    model_config = validated_by(
        Rule(
            rule="!has(self.attempt) || !has(self.total)"
            f" || !{valid_duration('self.attempt')} || !{valid_duration('self.total')}"
            f" || {milliseconds('self.attempt')} <= {milliseconds('self.total')}",
            message="attempt is greater than total: it must be at most total",
            field_path=".attempt",
        )
    )

    attempt: Timeout | None = Field(
        None,
        description="How long one attempt may run from the start of its pod, a duration of at least 1s. It then counts as "
        "failed and is retried. Example: 30m. Default: no limit.",
    )
    total: Timeout | None = Field(
        None,
        description="How long all attempts and the delays between them may take, a duration of at least 1s, counted from "
        "the job's creation or its last resumption. The job then fails. Example: 2h. Default: no limit.",
    )
    queue: Timeout | None = Field(
        None, description="How long the job may wait for its first pod, a duration. It then fails. Default: no limit."
    )
    start: Timeout | None = Field(
        None,
        description="How long a pod may take until its containers run (scheduling, image pull), a duration. The attempt then "
        "counts as a timeout. Default: no limit.",
    )
    progress: Timeout | None = Field(
        None,
        description="How long the first container may go without touching the file $PODWRIGHT_HEARTBEAT_FILE, a duration of at "
        "least 1s; needs sh in the image. The attempt then counts as a timeout. Default: no limit.",
    )
    task: Timeout | None = Field(
        None, description="How long one task of a pack may run, a duration. Default: no limit."
    )


class BatchJobSpec(ApiModel):
    """Desired state."""

    model_config = validated_by(
        Rule(
            rule="!has(oldSelf.cancel) || (has(self.cancel)"
            " && (self.cancel == oldSelf.cancel || self.cancel == 'Immediate'))",
            message="a cancellation can't be taken back: only Graceful may become Immediate",
            field_path=".cancel",
        ),
        Rule(
            rule="!has(self.timeouts) || !has(self.timeouts.task) || (has(self.array) && self.array.pack > 1)",
            message="timeouts.task is for tasks that share a pod: set array.pack above 1, or use timeouts.attempt",
            field_path=".timeouts.task",
        ),
    )

    # That it is immutable is an admission policy's business: a rule here would be checked with every status as well.
    template: Annotated[PodTemplate, ATOMIC_MAP] = Field(
        description="The pod that runs the job. Each attempt gets a new one. Immutable."
    )
    priority: Annotated[Int32, Field(ge=-1_000_000, le=1_000_000)] = Field(
        0,
        description="Order among jobs: when Podwright has more to start than it can at once, pods of a higher number are "
        "created first. It doesn't stop running jobs. From -1000000 to 1000000. Default: 0.",
    )
    retry: Annotated[RetryPolicy, immutable(remedy=_ANEW)] = Field(
        RetryPolicy(),
        description="Whether and when a failed attempt is followed by another. Immutable.",
    )
    timeouts: Timeouts | None = Field(None, description="Time limits. May be changed while the job runs.")
    suspend: bool = Field(
        False,
        description="true stops the running pod and starts no other until it is false again; this doesn't count as a failure. "
        "Default: false.",
    )
    cancel: Literal["Graceful", "Immediate"] | None = Field(
        None,
        description="Ends the job for good. Graceful gives the running pod its termination grace period, Immediate 1 "
        "second. Can't be taken back; Graceful may become Immediate. Default: not cancelled.",
    )
    ttl_seconds_after_finished: Count | None = Field(
        None,
        description="Seconds after the end until the job and its pods are deleted. 0 deletes at once. Dead letters and jobs "
        "that a GitOps tool would create again stay. Default: never.",
    )
    retention: Retention | None = Field(None, description="How long finished jobs and pods are kept, by outcome.")
    array: Array | None = Field(None, description="Runs the job as many tasks. Default: one task.")
    failure_policy: FailurePolicy | None = Field(
        None,
        description="How to treat a failure, by exit code, signal, reason or message. Immutable. Default: it is retried.",
    )
    on_exhausted: Literal["DeadLetter", "Fail"] = Field(
        "DeadLetter",
        description="What happens when retries are used up. DeadLetter keeps the job, whatever its TTL, until it is redriven "
        "or purged. Default: DeadLetter.",
    )
    delivery_mode: Literal["AtLeastOnce", "AtMostOnce"] = Field(
        "AtLeastOnce",
        description="AtLeastOnce: an attempt whose pod was lost is replaced once it can't run any more. AtMostOnce: no task "
        "is ever started twice, so there are no retries. Immutable. Default: AtLeastOnce.",
    )
    worker_timeout_seconds: Count | None = Field(
        None,
        description="Seconds for which the pods stay bound to a node that went silent (NoExecute tolerations). Default: the "
        "cluster's, usually 300.",
    )
    idempotency_key: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None,
        description="Of all jobs of the namespace with this key only the first runs; the others end as Skipped. Immutable. "
        "Default: none.",
    )
    dedup_window: delay_up_to(LONGEST_DEDUP_WINDOW) | None = Field(  # type: ignore[valid-type]
        None,
        description="How long the key is remembered after the job's end, a duration of at most "
        f"{LONGEST_DEDUP_WINDOW}. Immutable. Default: 24h.",
    )
    start_at: Moment | None = Field(
        None, description="Start nothing before this time. Example: 2027-01-31T08:00:00Z. Default: at once."
    )
    depends_on: Annotated[list[Dependency], Field(max_length=64), list_map("name")] | None = Field(
        None, description="Jobs that must reach a state before this one starts. Immutable."
    )


class BatchJob(ApiModel):
    """A job: one pod or an array of them, run to completion, and run again on failure."""

    spec: BatchJobSpec = Field(description="Desired state. Written by people and tools, never by the operator.")
    # It has one writer, so who owns which of its fields needs no record, which every write would have to pay for.
    status: Annotated[BatchJobStatus, ATOMIC_MAP] = Field(
        # What the API server shows of a job that no operator has seen: nobody needs to write that.
        BatchJobStatus(phase=Phase.PENDING, attempt_count=0),
        description="Observed state. Written by the operator only.",
    )


BATCH_JOB = Kind(
    model=BatchJob,
    kind=names.JOB_KIND,
    plural=names.JOB_PLURAL,
    short_names=("bj",),
    columns=(
        Column(name="Phase", path=".status.phase", description="Summary of the job's state."),
        Column(name="Progress", path=".status.progress", description="Tasks that succeeded, of all."),
        Column(name="Attempts", path=".status.attemptCount", type="integer", description="Attempts so far."),
        Column(name="Duration", path=".status.duration", description="How long the job took, once it has finished."),
        Column(
            name="Age", path=".metadata.creationTimestamp", type="date", description="Time since the job was created."
        ),
        Column(name="Reason", path=".status.reason", description="Why the job is in its phase.", wide=True),
        Column(name="Priority", path=".spec.priority", type="integer", description="Order among jobs.", wide=True),
        Column(name="Node", path=".status.attempts[-1:].node", description="Node of the last attempt.", wide=True),
        # In most jobs the same as the age, so not in the narrow table.
        Column(
            name="Started",
            path=".status.startTime",
            type="date",
            description="Time since the creation or the last resumption.",
            wide=True,
        ),
        Column(
            name="Finished", path=".status.finishTime", type="date", description="Time since the job ended.", wide=True
        ),
    ),
    selectable_fields=(".status.phase",),
    # Pods carry the name in a label, whose value can't be longer.
    name_limit=63,
)
