"""Whose trouble a failed write is: the API server's, which all writes must spare, or the object's own, which concerns nobody else.

A tenant's admission webhook, an object that is too large, a policy: all of them answer with codes that an API server under load has too.
Only what can't be caused by one tenant may slow the others down. Used by the writer and by what takes responses in.
"""

import enum
from typing import Final

from podwright.core.attempt.refusal import surely_not_created
from podwright.kube.errors import parse_status
from podwright.kube.responses import Ambiguous, ApiResponse, Unsent
from podwright.runtime.lanes import Result, Withheld

_ADMISSION: Final = ("failed calling webhook", "admission webhook", "admission plugin")
_TOO_LARGE: Final = ("request is too large", "Request entity too large")


class Trouble(enum.Enum):
    """Whom the failure of a write concerns."""

    NONE = "None"
    ITS_OWN = "ItsOwn"
    OF_ALL = "OfAll"


def trouble_of(result: Result, *, admitted: bool) -> Trouble:
    """Judge a result. `admitted` says that admission for pods has a say in such a write.

    What a webhook answers may take any time and have any code; so of pods' writes only what the API server says of itself (429, 503)
    or a connection that could not be made is everybody's.
    """
    if isinstance(result, Withheld):
        return Trouble.NONE
    if isinstance(result, Unsent):
        return Trouble.OF_ALL
    if isinstance(result, Ambiguous):
        return Trouble.ITS_OWN if admitted else Trouble.OF_ALL
    if result.status < 500 and result.status != 429:
        return Trouble.NONE
    if admission_failed(result) or is_too_large(result):
        return Trouble.ITS_OWN
    return Trouble.ITS_OWN if admitted and result.status not in (429, 503) else Trouble.OF_ALL


def admission_failed(result: Result) -> bool:
    """Return whether an error surely came from admission, before anything was stored."""
    if not isinstance(result, ApiResponse) or result.status < 400:
        return False
    message = parse_status(result.status, result.body).message
    return surely_not_created(code=result.status, message=message) or any(words in message for words in _ADMISSION)


def is_too_large(result: Result) -> bool:
    """Return whether nothing was stored since the object or the request is larger than the API server or etcd takes."""
    return isinstance(result, ApiResponse) and (result.status == 413 or _says(result, _TOO_LARGE))


def _says(result: Result, words: tuple[str, ...]) -> bool:
    if not isinstance(result, ApiResponse) or result.status < 400:
        return False
    message = parse_status(result.status, result.body).message
    return any(part in message for part in words)
