"""The rules of the BatchJob definition that it states in CEL, written out: the simulator evaluates no CEL.

The table of phases is the same one from which the CEL is generated, so the two cannot drift apart. Rules about the
insides of a pod template are left out: nothing that runs against the simulator depends on them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from podwright.core.model.phase import TERMINAL, TRANSITIONS, UNSUCCESSFUL, Phase
from tests.support.simulator.admission import Operation, Request
from tests.support.simulator.errors import invalid
from tests.support.simulator.kinds import BATCH_JOB

Document = Mapping[str, Any]

_NAME_LIMIT: Final = 63
_FIXED_WHEN_OVER: Final = ("startTime", "finishTime", "attempts")


def body_schema(schema: Document) -> Document:
    """Return the part of a definition's schema that rules everything but type and metadata."""
    properties = {
        name: sub for name, sub in schema["properties"].items() if name not in ("apiVersion", "kind", "metadata")
    }
    return {**schema, "properties": properties}


def rules(request: Request) -> None:
    """Refuse a job that breaks a rule of the definition."""
    if request.kind is not BATCH_JOB or request.document is None:
        return
    problems: list[tuple[str, str]] = []
    if request.operation is Operation.CREATE and len(request.name) > _NAME_LIMIT:
        problems.append(("metadata.name", f"Too long: may not be more than {_NAME_LIMIT} bytes"))
    if request.current is not None and request.subresource != "status":
        problems.extend(_spec_problems(request.current["spec"], request.document["spec"]))
    if request.current is not None and request.subresource == "status":
        before, after = request.current.get("status") or {}, request.document.get("status") or {}
        problems.extend(_status_problems(before, after))
    if problems:
        raise invalid(BATCH_JOB.kind, request.name, *problems, group=BATCH_JOB.group)


def _spec_problems(before: Document, after: Document) -> Iterator[tuple[str, str]]:
    for field in ("template", "retry"):
        # What is added or removed has no former value to be compared with.
        if field in before and field in after and before[field] != after[field]:
            yield f"spec.{field}", "Invalid value: is immutable: delete the job, or create another one under a new name"
    cancel = after.get("cancel")
    if "cancel" in before and cancel not in (before["cancel"], "Immediate"):
        yield "spec.cancel", "Invalid value: a cancellation can't be taken back: only Graceful may become Immediate"


def _status_problems(before: Document, after: Document) -> Iterator[tuple[str, str]]:
    current = Phase(before["phase"]) if "phase" in before else None
    target = Phase(after["phase"]) if after.get("phase") in set(Phase) else None
    if current is not None and target is not current and target not in TRANSITIONS[current]:
        yield "status.phase", f"Invalid value: phase {current} cannot become {target}"
    if current in TERMINAL:
        for field in _FIXED_WHEN_OVER:
            if before.get(field) != after.get(field):
                yield f"status.{field}", "Invalid value: can't change any more: the job is finished"
    if (target in TERMINAL) != ("finishTime" in after):
        yield "status.finishTime", "Invalid value: must be set exactly when phase is terminal"
    true = {known.get("type") for known in after.get("conditions", ()) if known.get("status") == "True"}
    for condition, holds in (
        ("Finished", target in TERMINAL),
        ("Complete", target is Phase.SUCCEEDED),
        ("Failed", target in UNSUCCESSFUL),
    ):
        if (condition in true) != holds:
            yield "status.conditions", f"Invalid value: condition {condition} must be {holds} in phase {target}"
    if after.get("attemptCount", 0) < before.get("attemptCount", 0):
        yield "status.attemptCount", "Invalid value: attempts are never taken back"
