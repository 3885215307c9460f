"""Which object is meant, of whatever kind. Objects are told apart by this wherever more than one kind may be at hand."""

from typing import Final

import msgspec

JOB: Final = "BatchJob"
POD: Final = "Pod"


class Ref(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One object. `kind` is its Kubernetes kind; uids are unique in a cluster and never reused (Kubernetes API)."""

    kind: str
    uid: str
