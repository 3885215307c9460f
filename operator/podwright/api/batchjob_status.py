"""BatchJob: the status, and the rules that hold it to the state machine of `core.job.phase` whoever writes it."""

import json
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from podwright.api.condition import Conditions
from podwright.api.model import ApiModel, Rule, list_map, validated_by
from podwright.api.scalars import Count, Generation, Int32, Message, ObjectName, Reason, Uid, Word
from podwright.core.job.phase import TERMINAL, TRANSITIONS, Phase


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


def _frozen(field: str) -> Rule:
    return Rule(
        # Comparing optionals instead would be shorter, but the API server can't estimate its cost and refuses it.
        rule=f"!({_WAS_TERMINAL}) || (has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field}))",
        message=f"{field} can't change any more: the job is finished",
        field_path=f".{field}",
    )


def _condition(kind: str) -> str:
    return f"(has(self.conditions) && self.conditions.exists(c, c.type == '{kind}' && c.status == 'True'))"


_RULES: Final = (
    Rule(
        rule=f"!has(oldSelf.phase) || (has(self.phase) && (self.phase == oldSelf.phase"
        f" || self.phase in {_cel(_ALLOWED)}[oldSelf.phase]))",
        message="this phase can't follow the present one",
        message_expression="'phase ' + oldSelf.phase + ' cannot ' + (has(self.phase) ? 'become ' + self.phase"
        f" : 'be removed') + '; allowed: ' + {_cel(_ALLOWED_IN_WORDS)}[oldSelf.phase]",
        field_path=".phase",
    ),
    *(_frozen(field) for field in ("startTime", "finishTime", "attempts")),
    Rule(
        rule=f"has(self.finishTime) == ({_ENDED})",
        message=f"finishTime must be set exactly when phase is one of {', '.join(sorted(TERMINAL))}",
        field_path=".finishTime",
    ),
    Rule(
        rule=f"{_condition('Finished')} == ({_ENDED})",
        message=f"condition Finished must be True exactly when phase is one of {', '.join(sorted(TERMINAL))}",
        field_path=".conditions",
    ),
    Rule(
        rule=f"{_condition('Complete')} == (has(self.phase) && self.phase == '{Phase.SUCCEEDED}')",
        message=f"condition Complete must be True exactly when phase is {Phase.SUCCEEDED}",
        field_path=".conditions",
    ),
    Rule(
        rule=f"{_condition('Failed')} == ({_ENDED} && self.phase != '{Phase.SUCCEEDED}')",
        message="condition Failed must be True exactly when phase is "
        + " or ".join(sorted(TERMINAL - {Phase.SUCCEEDED})),
        field_path=".conditions",
    ),
    Rule(
        rule="self.?attemptCount.orValue(0) >= oldSelf.?attemptCount.orValue(0)",
        message="attemptCount can't become less: attempts are never taken back",
        field_path=".attemptCount",
    ),
)


class AttemptStatus(ApiModel):
    """One try to run the job, in one pod."""

    number: Count = Field(description="Number of the attempt, from 0.")
    pod_name: ObjectName = Field(description="Name of its pod.")
    pod_uid: Uid | None = Field(None, alias="podUID", description="Uid of its pod; empty if it never got one.")
    node: Word | None = Field(None, description="Node that the pod ran on.")
    start_time: datetime | None = Field(None, description="When the kubelet took up the pod.")
    end_time: datetime | None = Field(None, description="When the last container ended.")
    outcome: Literal["Succeeded", "Failed", "Stopped", "Lost"] | None = Field(
        None,
        description="How it ended. Stopped: because of a suspension, cancellation or the total timeout. Lost: its pod "
        "vanished before its end was seen. Absent while it goes on.",
    )
    exit_code: Int32 | None = Field(None, description="Exit code of the container that decided the outcome.")
    reason: Reason | None = Field(None, description="Why it ended so, in one word. Example: OOMKilled.")
    message: Message | None = Field(None, description="Termination message of the container or the pod, cut at 1024.")


class BatchJobStatus(ApiModel):
    """What is."""

    model_config = validated_by(*_RULES)

    observed_generation: Generation = Field(
        -1, description="The metadata.generation that this status speaks of; -1 until the operator has seen the job."
    )
    phase: Phase | None = Field(
        None,
        description="Summary for people; programs should read the conditions. Pending: waits for its pod to run. "
        "Retrying: waits before the next attempt. Suspended: waits for spec.suspend to become false. Stopping: its pod is "
        "being ended. Succeeded, Failed and Cancelled are final.",
    )
    reason: Reason | None = Field(None, description="Why it is in this phase, in one CamelCase word.")
    message: Message | None = Field(None, description="Why it is in this phase, for people.")
    start_time: datetime | None = Field(
        None,
        description="From when spec.timeouts.total counts: the creation or the last resumption. Absent while suspended.",
    )
    finish_time: datetime | None = Field(
        None, description="When the job reached its final phase; then it never changes."
    )
    next_attempt_time: datetime | None = Field(None, description="When the next attempt is due, while Retrying.")
    attempt_count: Count | None = Field(None, description="Attempts so far.")
    failed_count: Count | None = Field(None, description="Attempts that failed or were lost; compare spec.retry.limit.")
    progress: Annotated[str, Field(max_length=32, pattern="^[0-9]+/[0-9]+$")] | None = Field(
        None, description="Tasks that succeeded, of all. Example: 0/1."
    )
    attempts: Annotated[list[AttemptStatus], Field(max_length=10), list_map("number")] | None = Field(
        None, description="The last 10 attempts, oldest first."
    )
    conditions: Conditions | None = Field(
        None,
        description="Finished, Complete (succeeded) and Failed (or cancelled) tell the end; Ready, Reconciling and Stalled "
        "follow kstatus; Suspended. Example: kubectl wait --for=condition=Finished.",
    )
