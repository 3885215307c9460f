"""Environment variables of a container."""

from typing import Annotated

from pydantic import Field

from podwright.api.model import ATOMIC_MAP, OpenModel, Rule, validated_by
from podwright.api.scalars import Argument, Key, Opaque, Word


class KeySelector(OpenModel):
    """One key of a ConfigMap or Secret."""

    name: Word = Field(description="Name of the object, in the job's namespace. Example: database.")
    key: Key = Field(description="The key to read. Example: password.")
    optional: bool | None = Field(None, description="Whether the object or key may be missing. Default: false.")


class FieldReference(OpenModel):
    """One field of the pod."""

    field_path: Key = Field(description="Path of the pod's field. Example: metadata.name.")


class VariableSource(OpenModel):
    """Where a variable's value comes from."""

    config_map_key_ref: Annotated[KeySelector, ATOMIC_MAP] | None = Field(
        None, description="The value is a key of a ConfigMap."
    )
    secret_key_ref: Annotated[KeySelector, ATOMIC_MAP] | None = Field(
        None, description="The value is a key of a Secret."
    )
    field_ref: Annotated[FieldReference, ATOMIC_MAP] | None = Field(
        None, description="The value is a field of the pod."
    )
    resource_field_ref: Opaque | None = Field(
        None, description="The value is a request or limit of a container. As in a pod."
    )


class Variable(OpenModel):
    """One environment variable."""

    model_config = validated_by(
        Rule(
            rule="!has(self.valueFrom) || !has(self.value) || self.value == ''",
            message="has both value and valueFrom: only one is allowed",
            field_path=".valueFrom",
        ),
        Rule(
            rule="!self.name.startsWith('PODWRIGHT_')",
            message="names that begin with PODWRIGHT_ are set by Podwright itself: choose another name",
            field_path=".name",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern="^[^=]+$")] = Field(
        description="Name of the variable; it must not contain =. Names that begin with PODWRIGHT_ are Podwright's own: "
        "PODWRIGHT_JOB_NAME, _JOB_UID, _TASK_INDEX, _ATTEMPT (0 at first), _IDEMPOTENCY_KEY (the same for all attempts) "
        "and _FENCING_TOKEN (grows with each attempt) are set in every container."
    )
    value: Argument | None = Field(
        None, description="The value; $(NAME) is replaced by an earlier variable. Default: the empty string."
    )
    value_from: VariableSource | None = Field(None, description="Takes the value from elsewhere; not with value.")


class EnvironmentSource(OpenModel):
    """All keys of one object as variables."""

    prefix: Key | None = Field(None, description="Put before each key. Default: nothing.")
    config_map_ref: Opaque | None = Field(None, description="The ConfigMap to read: {name, optional}.")
    secret_ref: Opaque | None = Field(None, description="The Secret to read: {name, optional}.")
