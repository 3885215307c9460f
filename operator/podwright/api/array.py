"""`spec.array`: one object that stands for many tasks."""

from typing import Annotated, Final

from pydantic import Field, WithJsonSchema

from podwright.api.model import ATOMIC, ApiModel, Rule, rules, validated_by
from podwright.api.scalars import Int32
from podwright.core.constants.limits import MOST_ITEMS

MOST_TASKS: Final = 1_000_000
MOST_PARALLEL: Final = 10_000

IndexSet = Annotated[
    str,
    Field(min_length=1, max_length=65536, pattern="^[0-9]{1,7}(-[0-9]{1,7})?(,[0-9]{1,7}(-[0-9]{1,7})?)*$"),
]
CountOrShare = Annotated[
    int | str,
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True, "maxLength": 16}
    ),
    rules(
        Rule(
            rule="type(self) == int ? self >= 0 : self.matches('^(100|[0-9]{1,2})%$')",
            message="must be a number of tasks (0 or more) or a share of them from 0% to 100%",
        )
    ),
]


class SuccessPolicy(ApiModel):
    """When the array has succeeded although not all of its tasks have."""

    model_config = validated_by(
        Rule(rule="has(self.count) || has(self.indexes)", message="set count, indexes or both"),
    )

    count: Annotated[Int32, Field(ge=1, le=MOST_TASKS)] | None = Field(
        None, description="Number of tasks (of indexes, if given) that must succeed. Default: all of indexes."
    )
    indexes: IndexSet | None = Field(None, description="These tasks must succeed. Example: 0-3,7. Default: any.")


class Array(ApiModel):
    """Many tasks of one template. Exactly one of size and items says which."""

    model_config = validated_by(
        Rule(rule="has(self.size) != has(self.items)", message="set exactly one of size and items"),
        Rule(
            rule="self.packParallelism == 1 || self.pack > 1",
            message="packParallelism is for tasks that share a pod: set pack above 1, or leave it out and use parallelism",
            field_path=".packParallelism",
        ),
    )

    size: Annotated[Int32, Field(ge=1, le=MOST_TASKS)] | None = Field(
        None, description="Number of tasks: indexes 0 to size-1, in PODWRIGHT_TASK_INDEX. Immutable."
    )
    items: (
        Annotated[list[Annotated[str, Field(max_length=4096)]], Field(min_length=1, max_length=MOST_ITEMS), ATOMIC]
        | None
    ) = Field(
        None,
        description="One task per item, which is in PODWRIGHT_TASK_ITEM. An item may appear more than once. Immutable.",
    )
    indexes: IndexSet | None = Field(
        None, description="Only these tasks, such as the failed ones of another run. Example: 0-3,7. Immutable."
    )
    parallelism: Annotated[Int32, Field(ge=1, le=MOST_PARALLEL)] = Field(
        100, description="Maximum pods running at once. May be changed while the job runs. Default: 100."
    )
    max_failed_tasks: CountOrShare | None = Field(
        None,
        description="More failed tasks than this number or share (such as 5%) end the job at once. Default: all tasks run; "
        "the job fails if one did.",
    )
    success_policy: SuccessPolicy | None = Field(
        None,
        description="When the job counts as succeeded before all tasks have; the others are then stopped. Immutable.",
    )
    sequential: bool = Field(
        False, description="Each task waits until the one before it succeeded. Default: false. Immutable."
    )
    pack: Annotated[Int32, Field(ge=1, le=10_000)] = Field(
        1,
        description="Tasks that one pod runs, one after the other; for many short tasks. The first container's image needs a "
        "POSIX shell (sh). Default: 1. Immutable.",
    )
    pack_parallelism: Annotated[Int32, Field(ge=1, le=256)] = Field(
        1, description="Tasks of a pack that run side by side. Default: 1. Immutable."
    )
