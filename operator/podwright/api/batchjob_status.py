"""BatchJob: the status, and the rules that hold it to the state machine of `core.job.phase` whoever writes it."""

import json
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from podwright.api.condition import Conditions
from podwright.api.model import ATOMIC, ApiModel, Rule, list_map, validated_by
from podwright.api.scalars import Count, Generation, Int32, Message, ObjectName, Opaque, Reason, Uid, Word
from podwright.core.constants.reasons import Subject, listed
from podwright.core.model.phase import TERMINAL, TRANSITIONS, UNSUCCESSFUL, Phase


def _cel(value: object) -> str:
    """Write strings, lists and maps of them as a CEL literal; JSON is one."""
    return json.dumps(value, ensure_ascii=True)


_TERMINAL: Final = _cel(sorted(TERMINAL))
_ALLOWED: Final = {
    phase: [target for target in Phase if target in targets] for phase, targets in TRANSITIONS.items() if phase
}
_ALLOWED_IN_WORDS: Final = {
    phase: ", ".join(targets) or "none, since the phase is terminal" for phase, targets in _ALLOWED.items()
}
_ENDED: Final = f"has(self.phase) && self.phase in {_TERMINAL}"
_WAS_TERMINAL: Final = f"has(oldSelf.phase) && oldSelf.phase in {_TERMINAL}"


def _same(field: str) -> str:
    # Comparing optionals instead would be shorter, but the API server can't estimate its cost and refuses it.
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


_MET: Final = "has(self.conditions) ? self.conditions.filter(c, c.status == 'True').map(c, c.type) : []"
_FOR_GOOD: Final = ("startTime", "finishTime", "attempts")


# Few rules, since the API server runs each of them at every write of a status and looks up each field anew: nine instead of
# these five made such a write a fifteenth dearer.
_RULES: Final = (
    Rule(
        rule=f"!has(oldSelf.phase) || (has(self.phase) && (self.phase == oldSelf.phase"
        f" || self.phase in {_cel(_ALLOWED)}[oldSelf.phase]))",
        message="this phase can't follow the present one",
        message_expression="'phase ' + oldSelf.phase + ' cannot ' + (has(self.phase) ? 'become ' + self.phase"
        f" : 'be removed') + '; allowed: ' + {_cel(_ALLOWED_IN_WORDS)}[oldSelf.phase]",
        field_path=".phase",
    ),
    Rule(
        rule=f"!({_WAS_TERMINAL}) || ({' && '.join(map(_same, _FOR_GOOD))})",
        message=f"{', '.join(_FOR_GOOD)} can't change any more: the job is finished",
    ),
    Rule(
        rule=f"has(self.finishTime) == ({_ENDED})",
        message=f"finishTime must be set exactly when phase is one of {', '.join(sorted(TERMINAL))}",
        field_path=".finishTime",
    ),
    Rule(
        rule=f"[has(self.phase) ? self.phase : ''].all(phase, [{_MET}].all(met,"
        f" ('Finished' in met) == (phase in {_TERMINAL}) && ('Complete' in met) == (phase == '{Phase.SUCCEEDED}')"
        f" && ('Failed' in met) == (phase in {_cel(sorted(UNSUCCESSFUL))})))",
        message=f"condition Finished must be True exactly when phase is one of {', '.join(sorted(TERMINAL))}; Complete"
        f" when it is {Phase.SUCCEEDED}; Failed when it is {' or '.join(sorted(UNSUCCESSFUL))}",
        field_path=".conditions",
    ),
    Rule(
        rule="self.?attemptCount.orValue(0) >= oldSelf.?attemptCount.orValue(0)",
        message="attemptCount can't become less: attempts are never taken back",
        field_path=".attemptCount",
    ),
)


_Set = Annotated[str, Field(max_length=245760)]


class TaskRetries(ApiModel):
    """Tasks (or packs of them) that were tried alike and are not done."""

    indexes: _Set = Field(description="Their indexes; of packs, the packs' own. Example: 3,8-9.")
    attempts: Count = Field(description="Attempts that ended.")
    failed: Count | None = Field(None, description="Those charged to retry.limit.")
    platform: Count | None = Field(None, description="Those charged to retry.platformLimit.")
    timeouts: Count | None = Field(None, description="Those charged to retry.timeoutLimit.")
    out_of_memory: Count | None = Field(None, description="Those that ran out of memory.")
    lost_nodes: Count | None = Field(None, description="Those that were lost with their node.")
    next_time: datetime | None = Field(None, description="When their next attempt is due.")


class FailureOnNode(ApiModel):
    """How attempts failed on a node."""

    node: Word = Field(description="The node.")
    reason: Reason | None = Field(None, description="Their reason.")
    exit_code: Int32 | None = Field(None, description="Their exit code.")


class EndingStatus(ApiModel):
    """Tasks whose attempt is being ended."""

    indexes: _Set = Field(description="Their indexes; of packs, the packs' own.")
    reason: Reason = Field(description="Why. Example: StartTimeout.")
    message: Message | None = Field(None, description="Explanation for people.")


class StopStatus(ApiModel):
    """Why a job is being stopped, or was."""

    reason: Reason = Field(
        description="Cancelled, Suspended, TotalTimeout, or the reason of the end that an array has come to."
    )
    message: Message | None = Field(None, description="The same, explained for people.")
    time: datetime = Field(description="When that was recorded.")


class ArrayStatus(ApiModel):
    """The tasks of an array, as index sets such as 0-3,7."""

    succeeded: Count = Field(description="How many tasks succeeded.")
    failed: Count = Field(description="How many failed for good.")
    skipped: Count | None = Field(None, description="How many are skipped; see dependsOn[].otherwise.")
    running: Count | None = Field(None, description="How many had an unfinished pod at the last write.")
    succeeded_indexes: _Set | None = Field(None, description="Which succeeded.")
    failed_indexes: _Set | None = Field(None, description="Which failed for good.")
    skipped_indexes: _Set | None = Field(None, description="Which are skipped.")
    running_indexes: _Set | None = Field(None, description="Which had an unfinished pod.")
    started_indexes: _Set | None = Field(
        None,
        description="Which (of packs, the packs' own) may have been started and aren't done, under AtMostOnce; none is started again.",
    )
    retries: Annotated[list[TaskRetries], Field(max_length=2000), ATOMIC] | None = Field(
        None, description="Tasks with attempts that ended and that aren't done."
    )
    task_failures: Annotated[list[TaskRetries], Field(max_length=200), ATOMIC] | None = Field(
        None, description="Of packed arrays: tasks that failed and aren't done, by how often."
    )
    given_up: Count | None = Field(None, description="How many of the failed never ran because of a dependency.")
    not_retried: Count | None = Field(
        None, description="How many of the failed were not retried, by a failure rule or since no retries are allowed."
    )
    never_started: bool | None = Field(
        None, description="Whether attempts ended and none of them was started by a node; see dependsOn[].condition."
    )
    lost_nodes: Annotated[list[Word], Field(max_length=10), ATOMIC] | None = Field(
        None, description="Nodes that pods were lost with, until 10 tasks succeeded; see quarantineAfter."
    )
    node_failures: Annotated[list[FailureOnNode], Field(max_length=20), ATOMIC] | None = Field(
        None, description="Failures on different nodes, until then; see sameFailureNodes."
    )
    ending: Annotated[list[EndingStatus], Field(max_length=10), ATOMIC] | None = Field(
        None, description="Attempts that are being ended, by reason; recorded before their pods are deleted."
    )


class Artifact(ApiModel):
    """A larger result that the task stored elsewhere."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Its name.")
    url: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Where it is, without user, password and query."
    )


class AttemptStatus(ApiModel):
    """One try to run the job, in one pod."""

    index: Count | None = Field(None, description="Index of the task or pack, in an array.")
    number: Count = Field(description="Number of the attempt, from 0.")
    pod_name: ObjectName = Field(description="Name of its pod.")
    pod_uid: Uid | None = Field(None, alias="podUID", description="Uid of its pod; empty if it never got one.")
    node: Word | None = Field(None, description="Node that the pod ran on.")
    start_time: datetime | None = Field(None, description="When the kubelet accepted the pod.")
    end_time: datetime | None = Field(None, description="When the last container ended.")
    outcome: Literal["Succeeded", "Failed", "Stopped", "Lost"] | None = Field(
        None,
        description="How it ended. Stopped: because of a suspension, cancellation or the total timeout. Lost: its pod "
        "vanished before its end was seen. Absent while it goes on.",
    )
    exit_code: Int32 | None = Field(None, description="Exit code of the container that decided the outcome.")
    budget: Literal["User", "Platform", "Timeout"] | None = Field(
        None, description="Which retry budget it was charged to. Absent: none."
    )
    reason: Reason | None = Field(
        None,
        description=f"Why it ended, in one word: {listed(Subject.ATTEMPT)} Or a reason of the kubelet, such as "
        "CreateContainerConfigError.",
    )
    message: Message | None = Field(
        None, description="Termination message of the container or the pod, cut to 1024 characters."
    )


class BatchJobStatus(ApiModel):
    """Observed state."""

    model_config = validated_by(*_RULES)

    observed_generation: Generation = Field(
        -1,
        description="The metadata.generation that this status describes; -1 until the operator has reconciled the job.",
    )
    phase: Phase | None = Field(
        None,
        description="Summary for people; programs should read the conditions. Pending: no pod has run yet. "
        "Retrying: waits before the next attempt. Suspended: waits for spec.suspend to become false. Stopping: its pod is "
        "being ended. Succeeded, Failed, Cancelled, DeadLettered (its retries are used up) and Skipped (never run) are final.",
    )
    reason: Reason | None = Field(
        None,
        description="Why it is in this phase, in one CamelCase word: that of its last attempt, or "
        f"{listed(Subject.WAITING, Subject.ACTIVE, Subject.ENDED)}",
    )
    message: Message | None = Field(None, description="Why it is in this phase, explained for people.")
    start_time: datetime | None = Field(
        None,
        description="From when spec.timeouts.total counts: the creation or the last resumption. Absent while suspended.",
    )
    finish_time: datetime | None = Field(
        None, description="When the job reached its final phase; then it never changes."
    )
    duration: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="How long a finished job took, from startTime to finishTime. Example: 5m30s."
    )
    next_attempt_time: datetime | None = Field(None, description="When the next attempt is due, while Retrying.")
    stop: StopStatus | None = Field(
        None, description="Why the job is being stopped, or was; recorded before any pod is deleted for it."
    )
    attempt_count: Count | None = Field(None, description="Attempts so far; arrays count ended ones.")
    failed_count: Count | None = Field(None, description="Failures charged to spec.retry.limit.")
    platform_failed_count: Count | None = Field(None, description="Those charged to spec.retry.platformLimit.")
    timeout_count: Count | None = Field(None, description="Those charged to spec.retry.timeoutLimit.")
    out_of_memory_count: Count | None = Field(None, description="Attempts that ran out of memory.")
    lost_node_count: Count | None = Field(None, description="Attempts lost with their node; see quarantineAfter.")
    progress: Annotated[str, Field(max_length=32, pattern="^[0-9]+/[0-9]+$")] | None = Field(
        None, description="Tasks that succeeded, of all. Example: 0/1."
    )
    attempts: Annotated[list[AttemptStatus], Field(max_length=10), ATOMIC] | None = Field(
        None, description="The last 10 attempts, oldest first; of an array, the last 10 that failed."
    )
    array: ArrayStatus | None = Field(None, description="The tasks, of an array.")
    outputs: Opaque | None = Field(
        None, description='Small results: the object "outputs" of the JSON in the termination message.'
    )
    artifacts: Annotated[list[Artifact], Field(max_length=32), list_map("name")] | None = Field(
        None, description='Larger results: the object "artifacts" there, name to URL.'
    )
    duplicate_of: ObjectName | None = Field(None, description="The job that runs under the same idempotencyKey.")
    conditions: Conditions | None = Field(
        None,
        description="Finished, Complete (succeeded), Failed (or cancelled) and Skipped tell the end; Ready, Reconciling and Stalled "
        "follow kstatus; Suspended. Example: kubectl wait --for=condition=Finished.",
    )
