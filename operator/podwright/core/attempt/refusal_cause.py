"""What a refusal that may pass hangs on, in a form that is equal for all pods of a namespace that wait for the same.

Jobs whose pods are refused for one cause wait in one line of their namespace and are asked for by turns (`runtime.lines`). Two causes
that are told apart here never wait for each other; of one cause, the first pod that is let in speaks for all.
"""

import re
from typing import Final

from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import RefusalKind

UNANSWERED: Final = "Unanswered"
"""The cause of creations that came to nothing without an answer that says why."""
_COMPARED: Final = 1024
"""Characters of the message: as many as a status keeps, so that a refusal that is on record has the cause that it had."""
_POD: Final = re.compile(r'\bpods? "[^"]{0,253}"')
_USED: Final = re.compile(r"\bused: [^\s]{1,2000}")
_NUMBER: Final = re.compile(r"\d+")
_WEBHOOK: Final = re.compile(r'failed calling webhook "[^"]{0,253}"')
_BY_REASON: Final = frozenset(
    {
        Reason.QUOTA_EXCEEDED,
        Reason.NAMESPACE_TERMINATING,
        Reason.OPERATOR_FORBIDDEN,
        Reason.API_SERVER_NOT_READY,
    }
)
"""Reasons that concern a whole namespace, or all."""
_BY_MESSAGE: Final = frozenset(
    {
        Reason.QUOTA_UNSATISFIABLE,
        Reason.SERVICE_ACCOUNT_MISSING,
        Reason.PRIORITY_CLASS_MISSING,
        Reason.RUNTIME_CLASS_MISSING,
        Reason.ADMISSION_WEBHOOK_FAILED,
        Reason.POD_CREATION_FAILED,
    }
)
WAITED_OUT: Final = _BY_REASON | _BY_MESSAGE
"""Reasons of refusals that are waited out in a line. A policy's denial is not: each job has a minute to see it end."""


def cause_of(*, kind: RefusalKind, reason: str, message: str) -> str:
    """Return the cause of a refusal; "" if it is not waited out in a line."""
    if kind is not RefusalKind.RETRYABLE or reason not in WAITED_OUT:
        return ""
    if reason in _BY_REASON:
        return reason
    message = message[:_COMPARED]
    if reason == Reason.ADMISSION_WEBHOOK_FAILED:
        webhook = _WEBHOOK.search(message)
        return f"{reason} {webhook[0] if webhook else ''}"
    message = _USED.sub("", _POD.sub("pod", message))
    if reason == Reason.POD_CREATION_FAILED:
        message = _NUMBER.sub("#", message)  # ports, times, identifiers of requests
    return f"{reason} {message}"
