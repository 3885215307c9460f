"""What a BatchJob's JSON says, read with care: any part may be missing, or be from a later version. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from podwright.core.constants import names
from podwright.core.model.phase import TERMINAL, Phase
from podwright.core.values.index_set import EMPTY, IndexSet

Json = Mapping[str, Any]


def name_of(job: Json) -> str:
    """Return its name."""
    return str((job.get("metadata") or {}).get("name", ""))


def spec_of(job: Json) -> Json:
    """Return `spec`."""
    return job.get("spec") or {}


def status_of(job: Json) -> Json:
    """Return `status`, empty if there is none."""
    return job.get("status") or {}


def phase_of(job: Json) -> str:
    """Return the phase, empty if no operator has reconciled the job: the API server shows `Pending` then."""
    status = status_of(job)
    phase = str(status.get("phase") or "")
    return "" if phase == Phase.PENDING and status.get("observedGeneration") == -1 else phase


def shown_phase(job: Json) -> str:
    """Return the phase for people. A job is Pending from the first moment; `podwright why` says if no operator leads."""
    return phase_of(job) or Phase.PENDING


def finished(job: Json) -> bool:
    """Return whether the job has ended for good."""
    return phase_of(job) in TERMINAL


def succeeded(job: Json) -> bool:
    """Return whether it has succeeded."""
    return phase_of(job) == Phase.SUCCEEDED


def annotation(job: Json, key: str) -> str:
    """Return an annotation below our group; empty if there is none."""
    return str(((job.get("metadata") or {}).get("annotations") or {}).get(f"{names.GROUP}/{key}", ""))


def array_of(job: Json) -> Json | None:
    """Return `spec.array`, None if the job is a single task."""
    found = spec_of(job).get("array")
    return found if isinstance(found, Mapping) else None


def pack_of(job: Json) -> int:
    """Return how many tasks share a pod."""
    array = array_of(job)
    return max(1, int(array.get("pack") or 1)) if array else 1


def tasks_of(job: Json) -> IndexSet:
    """Return the indexes of all tasks of an array; of a single job, task 0."""
    array = array_of(job)
    if array is None:
        return IndexSet.up_to(1)
    if array.get("indexes"):
        return index_set(array["indexes"])
    return IndexSet.up_to(int(array.get("size") or len(array.get("items") or ())))


def recorded_set(job: Json, name: str) -> IndexSet:
    """Return one of the index sets of `status.array`, such as `failedIndexes`."""
    return index_set((status_of(job).get("array") or {}).get(name))


def index_set(text: Any) -> IndexSet:
    """Read an index set; one that makes no sense is empty."""
    try:
        return IndexSet.parse(str(text or ""))
    except ValueError:
        return EMPTY
