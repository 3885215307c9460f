"""What is particular to each served kind, as data; the rules themselves are in the file of their name."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from podwright.core.constants import names
from tests.support.simulator.selectors import FIELDS, POD_FIELDS

Document = dict[str, Any]
Prepare = Callable[[Document], Document]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One served resource.

    `custom` marks a kind that a CustomResourceDefinition brings, for which the API server is stricter in some things and
    laxer in others. `blind_update` allows PUT without a resourceVersion, `create_by_put` PUT of what does not exist.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    custom: bool = False
    has_status: bool = True
    counts_generations: bool = True
    blind_update: bool = False
    create_by_put: bool = False
    subresources: tuple[str, ...] = ("status",)
    fields: tuple[str, ...] = FIELDS

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def collection(self) -> str:
        """The path under which it is served, without a namespace."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


BATCH_JOB: Final = Kind(
    group=names.GROUP,
    version=names.VERSION,
    plural=names.JOB_PLURAL,
    kind=names.JOB_KIND,
    custom=True,
    fields=(*FIELDS, "status.phase"),
)
POD: Final = Kind(
    group="",
    version="v1",
    plural="pods",
    kind="Pod",
    blind_update=True,
    subresources=("status", "binding"),
    fields=POD_FIELDS,
)
LEASE: Final = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    kind="Lease",
    has_status=False,
    counts_generations=False,
    create_by_put=True,
    subresources=(),
)
EVENT: Final = Kind(
    group="", version="v1", plural="events", kind="Event", has_status=False, counts_generations=False, subresources=()
)
NAMESPACE: Final = Kind(
    group="",
    version="v1",
    plural="namespaces",
    kind="Namespace",
    namespaced=False,
    counts_generations=False,
    blind_update=True,
)

SERVED: Final[Mapping[tuple[str, str, str], Kind]] = {
    (kind.group, kind.version, kind.plural): kind for kind in (BATCH_JOB, POD, LEASE, EVENT, NAMESPACE)
}
