"""Which work a job does: its own, or that of a former job which it goes on with, as a redriven or retried one does. Pure.

Two annotations tell it. They decide nothing but what programs are told (`core.job.pod.environment`): the idempotency key stays the
same through a chain of such jobs, and the fencing tokens under that key go on growing.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from podwright.core.constants import names

_UID: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
_TOKENS: Final = re.compile(r"[0-9]{1,15}")  # exact even where every number is a float


def work_uid(annotations: Mapping[str, Any] | None) -> str:
    """Return the uid of the first job of the chain; "" for a job that does its own work. What can't be a uid is ignored."""
    text = str((annotations or {}).get(names.ANNOTATION_WORK, ""))
    return text if _UID.fullmatch(text) else ""


def tokens_before(annotations: Mapping[str, Any] | None) -> int:
    """Return how many fencing tokens the former jobs of the chain may have used; 0 for a job that does its own work."""
    text = str((annotations or {}).get(names.ANNOTATION_TOKENS, ""))
    return int(text) if work_uid(annotations) and _TOKENS.fullmatch(text) else 0
