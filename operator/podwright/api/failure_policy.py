"""`spec.failurePolicy`: how a failure is treated, by exit code, signal, reason or message."""

from typing import Annotated, Literal

from pydantic import Field

from podwright.api.model import ATOMIC, ApiModel, Rule, rules, validated_by
from podwright.api.scalars import Int32, Label, SingleQuantity, Word

ACTIONS = ("Retry", "RetryFree", "Fail", "FailTask", "Ignore")


class ExitCodes(ApiModel):
    """Exit codes of containers that failed."""

    operator: Literal["In", "NotIn"] | None = Field(
        None, description="In: one of values. NotIn: any other code but 0. Default: In."
    )
    values: Annotated[list[Annotated[Int32, Field(ge=1, le=255)]], Field(min_length=1, max_length=255), ATOMIC] = Field(
        description="Exit codes from 1 to 255."
    )
    container_name: Label | None = Field(None, description="Only this container. Default: any.")


class PodCondition(ApiModel):
    """A condition of the pod."""

    type: Annotated[str, Field(min_length=1, max_length=316)] = Field(description="Example: DisruptionTarget.")
    status: Literal["True", "False", "Unknown"] | None = Field(None, description="Its status. Default: True.")


Words = Annotated[list[Annotated[Word, Field(min_length=1)]], Field(min_length=1, max_length=32), ATOMIC]


class FailureRule(ApiModel):
    """One rule. All that it names must fit."""

    model_config = validated_by(
        Rule(
            rule="has(self.onExitCodes) || has(self.onSignals) || has(self.onReasons) || has(self.onPodConditions)"
            " || has(self.onWaitingReasons) || has(self.onMessage)",
            message="a rule must name at least one of onExitCodes, onSignals, onReasons, onPodConditions, onWaitingReasons "
            "and onMessage",
        )
    )

    action: Literal["Retry", "RetryFree", "Fail", "FailTask", "Ignore"] = Field(
        description="Retry: as without a rule. RetryFree: without using up a budget. Fail: end the job. FailTask: no more "
        "attempts of this task. Ignore: count the task as succeeded."
    )
    on_exit_codes: ExitCodes | None = Field(None, description="Exit codes of a container.")
    on_signals: Words | None = Field(None, description="Signals that ended a container. Example: SIGSEGV.")
    on_reasons: Words | None = Field(
        None, description="Reasons of the attempt, its container or pod. Example: OOMKilled, Evicted, AttemptTimeout."
    )
    on_pod_conditions: Annotated[list[PodCondition], Field(min_length=1, max_length=16), ATOMIC] | None = Field(
        None, description="Conditions of the pod, one of which must hold. Example: DisruptionTarget."
    )
    on_waiting_reasons: Words | None = Field(
        None,
        description="Reasons for which a container can't start; the attempt is then ended. Example: ErrImagePull, "
        "CreateContainerConfigError.",
    )
    on_message: (
        Annotated[
            str,
            Field(min_length=1, max_length=256),
            rules(
                Rule(
                    rule="''.matches(self) ? true : true",
                    message="must be a regular expression in RE2 syntax, without back-references",
                )
            ),
        ]
        | None
    ) = Field(None, description="Regular expression (RE2) that is found in the termination message.")


class Escalation(ApiModel):
    """More resources after running out of memory."""

    factor: Annotated[
        str,
        Field(max_length=8),
        rules(
            Rule(
                rule="self.matches('^([1-9]|10)([.][0-9]{1,2})?$') && double(self) > 1.0 && double(self) <= 10.0",
                message="must be a number above 1 and up to 10, such as 1.5",
            )
        ),
    ] = Field("1.5", description='What requests and limits are multiplied by each time. Default: "1.5".')
    max_memory: SingleQuantity = Field(description="Upper limit of memory. Example: 16Gi.")
    max_cpu: SingleQuantity | None = Field(
        None, description="Upper limit of CPU, which then grows as well. Example: 8. Default: only memory grows."
    )


class FailurePolicy(ApiModel):
    """How to treat a failure, by exit code, signal, reason or message."""

    rules: Annotated[list[FailureRule], Field(max_length=20), ATOMIC] | None = Field(
        None, description="The first rule that matches decides. Default, if none does: Retry."
    )
    on_out_of_memory: Escalation | None = Field(
        None, description="Give the next attempt more memory after an OOMKilled one. Default: the same."
    )
    avoid_failed_nodes: bool = Field(
        True, description="Prefer other nodes than those of the last failed attempts. Default: true."
    )
    same_failure_nodes: Annotated[Int32, Field(ge=2, le=10)] | None = Field(
        None,
        description="End the job when it fails in the same way on this many different nodes: the nodes aren't at fault then. "
        "Default: off.",
    )
    quarantine_after: Annotated[Int32, Field(ge=1, le=10)] = Field(
        3,
        description="Make the job a dead letter when its pods were lost with this many nodes: it may be what kills them. Default: 3.",
    )
