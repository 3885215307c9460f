"""The API's scalar types, each with its bounds. Bounds also keep the API server's estimate of CEL costs finite."""

import json
from typing import Annotated, Any, Final

from pydantic import Field, WithJsonSchema

from podwright.api.model import Extra, Rule, rules
from podwright.core.values.duration import HELP, LONGEST_TEXT, MILLISECONDS, PATTERN, parse_duration

_DURATION: Final = f"^{PATTERN}$"


def valid_duration(expression: str) -> str:
    """Return the CEL condition under which `milliseconds(expression)` can be evaluated."""
    return f"{expression}.matches('{_DURATION}')"


def milliseconds(expression: str) -> str:
    """Return the CEL expression of a valid duration's milliseconds; CEL's own durations know no days and weeks."""
    units = json.dumps(MILLISECONDS, separators=(",", ":")).replace('"', "'")
    part = f"int(p.find('[0-9]+')) * {units}[p.find('[a-z]+')]"
    return f"{expression}.findAll('[0-9]+[a-z]+').map(p, {part}).sum()"


# The rules repeat the pattern with a message that people understand.
Delay = Annotated[
    str,
    Field(max_length=LONGEST_TEXT, pattern=_DURATION),
    rules(Rule(rule=valid_duration("self"), message=f"must be a duration {HELP}")),
]
# Whether it is at least a second shows in a single part, so that nothing needs to be computed at each write of a status.
Timeout = Annotated[
    str,
    Field(max_length=LONGEST_TEXT, pattern=_DURATION),
    rules(
        Rule(
            rule=f"{valid_duration('self')} && self.matches('[1-9][0-9]*([wdhs]|m([0-9]|$))|[1-9][0-9]{{3,}}ms')",
            message=f"must be a duration of at least 1s, {HELP}",
        )
    ),
]


def delay_up_to(longest: str) -> Any:
    """Return the type of a duration that is at most another one."""
    return Annotated[
        Delay,
        rules(
            Rule(
                rule=f"!{valid_duration('self')} || {milliseconds('self')} <= {round(parse_duration(longest) * 1000)}",
                message=f"is longer than {longest}: it must be at most that",
            )
        ),
    ]


# Without the format date-time, with which the API server accepts an empty list, and an offset of 99 hours.
Moment = Annotated[
    str,
    Field(
        max_length=40,
        pattern="^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"
        "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
    ),
]

Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), Extra(keywords={"format": "int32"})]
Count = Annotated[int, Field(ge=0, le=2**31 - 1), Extra(keywords={"format": "int32"})]
# Bounded by the format alone: the API server reads bounds as floating point and would round the greatest one up.
Int64 = Annotated[int, Extra(keywords={"format": "int64"})]
Generation = Annotated[int, Field(ge=-1), Extra(keywords={"format": "int64"})]
UserId = Annotated[int, Field(ge=0, le=2**31 - 1), Extra(keywords={"format": "int64"})]
Port = Annotated[int, Field(ge=1, le=65535), Extra(keywords={"format": "int32"})]
FileMode = Annotated[int, Field(ge=0, le=0o777), Extra(keywords={"format": "int32"})]

# Names as Kubernetes defines them: a DNS label (RFC 1123), and several joined by dots.
Label = Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]
Word = Annotated[str, Field(max_length=253)]
Uid = Annotated[str, Field(max_length=128)]
Reason = Annotated[str, Field(max_length=1024)]
Message = Annotated[str, Field(max_length=1024)]
Path = Annotated[str, Field(min_length=1, max_length=4096)]
Key = Annotated[str, Field(min_length=1, max_length=253)]
# The kernel takes no longer single argument or variable (MAX_ARG_STRLEN).
Argument = Annotated[str, Field(max_length=131072)]
Selector = Annotated[str, Field(max_length=316)]

# A number or a string with a unit; a CEL rule checks how it is written, since a pattern makes no readable message.
Quantity = Annotated[
    int | str,
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True, "maxLength": 64}
    ),
]
_QUANTITY_HELP: Final = "must be a quantity: a number with an optional unit, such as 500m, 2, 256Mi or 1Gi"
SingleQuantity = Annotated[Quantity, rules(Rule(rule="isQuantity(string(self))", message=_QUANTITY_HELP))]
Quantities = Annotated[
    dict[str, Quantity],
    Field(max_length=32),
    rules(Rule(rule="self.all(k, isQuantity(string(self[k])))", message=f"a value {_QUANTITY_HELP}")),
]

# An object whose inside is left to the API server's validation of pods; every field is kept.
Opaque = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]

LabelValue = Annotated[str, Field(max_length=63)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=64)]
