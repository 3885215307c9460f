"""What an admission rule sees. Rules run after the request is understood and before anything is stored.

A rule raises `ApiError` to refuse. `fence` and `batchjobs` hold the ones that Podwright installs in a cluster.
"""

import enum
from collections.abc import Callable
from typing import Any

import msgspec

from tests.support.simulator.kinds import Kind

Document = dict[str, Any]


class Operation(enum.StrEnum):
    """What is asked for."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: `document` is the object as it would be stored, `current` as it is stored."""

    operation: Operation
    kind: Kind
    subresource: str
    user: str
    namespace: str
    name: str
    document: Document | None = None
    current: Document | None = None


Rule = Callable[[Request], None]
