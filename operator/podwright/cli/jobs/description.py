"""`podwright get`: all that is worth knowing of a job, for a person. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from podwright.cli.jobs.copies import Origin, announced, original, redrive_count
from podwright.cli.jobs.state import (
    array_of,
    name_of,
    pack_of,
    phase_of,
    recorded_set,
    shown_phase,
    spec_of,
    status_of,
    tasks_of,
)
from podwright.cli.printable import one_line, several_lines
from podwright.cli.table import NOTHING, layout
from podwright.cli.times import local, seconds_of, span
from podwright.core.values.index_set import IndexSet

_INDEXES_SHOWN = 100
_ATTEMPT_HEADINGS = ("ATTEMPT", "OUTCOME", "EXIT", "REASON", "TOOK", "NODE", "POD")


def describe(job: Mapping[str, Any], *, now: float) -> list[str]:
    """Return the lines of the description."""
    facts = [(label, value) for label, value in _facts(job, now=now) if value]
    width = max(len(label) for label, _ in facts) + 1
    return [
        *(f"{label + ':':<{width}}  {value}" for label, value in facts),
        *_section("Tasks", _tasks(job)),
        *_section("Outputs", _outputs(job)),
        *_section("Artifacts", _artifacts(job)),
        *_section("Attempts", _attempts(job, now=now)),
    ]


def _facts(job: Mapping[str, Any], *, now: float) -> Iterator[tuple[str, str]]:
    meta, spec, status = job.get("metadata") or {}, spec_of(job), status_of(job)
    reason = one_line(status.get("reason") or "")
    if reason == phase_of(job):  # such as Cancelled
        reason = ""
    yield "Name", one_line(name_of(job))
    yield "Namespace", one_line(meta.get("namespace") or "")
    labels = meta.get("labels") or {}
    yield "Labels", ", ".join(f"{one_line(key)}={one_line(value)}" for key, value in sorted(labels.items()))
    yield (
        "Phase",
        one_line(shown_phase(job)) + (f" ({reason})" if reason else ""),
    )
    yield "Message", one_line(status.get("message") or "")
    yield "Suspended", "yes (spec.suspend)" if spec.get("suspend") else ""
    yield "Cancel", one_line(spec.get("cancel") or "")
    yield "Progress", one_line(status.get("progress") or "")
    yield "Created", _ago(meta.get("creationTimestamp"), now=now)
    yield "Start at", _ago(spec.get("startAt"), now=now)
    yield (
        "Depends on",
        ", ".join(
            f"{one_line(each.get('name', ''))} ({one_line(each.get('condition') or 'Succeeded')})"
            for each in spec.get("dependsOn") or ()
        ),
    )
    yield "Finished", _ago(status.get("finishTime"), now=now)
    yield "Next attempt", _ago(status.get("nextAttemptTime"), now=now)
    yield "Failures", _failures(job)
    yield "Idempotency key", one_line(spec.get("idempotencyKey") or "")
    yield "Duplicate of", one_line(status.get("duplicateOf") or "")
    yield "Restart of", one_line(original(job, Origin.RESTART))
    yield "Retry of", one_line(original(job, Origin.RETRY))
    yield "Redrive of", one_line(original(job, Origin.REDRIVE))
    for origin in Origin:
        yield f"{origin.done.capitalize()} as", one_line(", ".join(announced(job, origin)))
    yield "Redrives", str(redrive_count(job) or "")


def _ago(timestamp: Any, *, now: float) -> str:
    seconds = seconds_of(timestamp)
    if seconds is None:
        return ""
    distance = f"in {span(seconds - now)}" if seconds > now else f"{span(now - seconds)} ago"
    return f"{local(seconds)} ({distance})"


def _failures(job: Mapping[str, Any]) -> str:
    status, retry = status_of(job), spec_of(job).get("retry") or {}
    if array_of(job) is not None:
        return ""
    counts = [
        (status.get("failedCount"), f"charged to retry.limit {retry.get('limit', '')}"),
        (status.get("platformFailedCount"), f"charged to retry.platformLimit {retry.get('platformLimit', '')}"),
        (status.get("timeoutCount"), "timeouts"),
        (status.get("outOfMemoryCount"), "out of memory"),
    ]
    return ", ".join(f"{count} {what}".rstrip() for count, what in counts if count)


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}".rstrip() for line in lines)] if lines else []


def _tasks(job: Mapping[str, Any]) -> list[str]:
    array = array_of(job)
    if array is None:
        return []
    every = tasks_of(job)
    succeeded, failed = recorded_set(job, "succeededIndexes") & every, recorded_set(job, "failedIndexes") & every
    skipped, running = recorded_set(job, "skippedIndexes") & every, recorded_set(job, "runningIndexes")
    rows = [("succeeded", succeeded), ("failed", failed)]
    if skipped:
        rows.append(("skipped", skipped))
    left = every - succeeded - failed - skipped
    if pack_of(job) == 1:
        rows += [("running", running & every), ("waiting", left - running)]
    else:
        rows.append(("not done", left))
    cells = [
        ("all", str(len(every)), _indexes(every)),
        *((name, str(len(them)), _indexes(them)) for name, them in rows),
    ]
    return layout(("TASKS", "NUMBER", "INDEXES"), cells)


def _indexes(indexes: IndexSet) -> str:
    text = str(indexes)
    if len(text) > _INDEXES_SHOWN:
        text = text[:_INDEXES_SHOWN].rpartition(",")[0] + ",…"
    return text or NOTHING


def _outputs(job: Mapping[str, Any]) -> list[str]:
    outputs = status_of(job).get("outputs")
    return json.dumps(outputs, indent=2).splitlines() if outputs else []


def _artifacts(job: Mapping[str, Any]) -> list[str]:
    found = status_of(job).get("artifacts") or ()
    rows = [(one_line(each.get("name", "")), one_line(each.get("url", ""))) for each in found]
    return layout(("NAME", "URL"), rows) if rows else []


def _attempts(job: Mapping[str, Any], *, now: float) -> list[str]:
    attempts = status_of(job).get("attempts") or ()
    if not attempts:
        return []
    unit = "task" if pack_of(job) == 1 else "pack"
    waiting = phase_of(job) in ("", "Pending") and array_of(job) is None
    rows = [_attempt(each, unit=unit, waiting=waiting, now=now) for each in attempts]
    lines = layout(_ATTEMPT_HEADINGS, rows)
    shown = [lines[0]]
    for each, line in zip(attempts, lines[1:], strict=True):
        shown.append(line)
        message = several_lines(str(each.get("message") or "")).strip()
        shown += [f"    {part}" for part in message.split("\n")] if message else []
    return shown


def _attempt(attempt: Mapping[str, Any], *, unit: str, waiting: bool, now: float) -> tuple[str, ...]:
    # While a job is Pending no container of its pod runs yet, so nothing has taken any time.
    began, ended = seconds_of(attempt.get("startTime")), seconds_of(attempt.get("endTime"))
    index = attempt.get("index")
    number = one_line(attempt.get("number", ""))
    code = attempt.get("exitCode")
    pending = waiting and not attempt.get("outcome")
    return (
        number if index is None else f"{number} of {unit} {one_line(index)}",
        one_line(attempt.get("outcome") or ("pending" if pending else "running")),
        NOTHING if code is None else one_line(code),
        one_line(attempt.get("reason") or NOTHING),
        NOTHING if began is None or pending else span((now if ended is None else ended) - began),
        one_line(attempt.get("node") or NOTHING),
        one_line(attempt.get("podName") or NOTHING),
    )
