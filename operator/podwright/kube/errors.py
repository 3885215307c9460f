"""What the API server says when it refuses: `metav1.Status` bodies as exceptions, and answers that make no sense.

Used by everything that reads answers. Only a Status is a fact about the cluster: what a proxy on the way says in its own words
(`StatusError.genuine` is false) proves neither that an object is absent nor that a request was refused. Must not judge whether an
error is worth a retry: that is the caller's policy.
"""

import re
from typing import Final

import msgspec

from podwright.kube.paths import Resource

# Only from the beginning, in the API server's own words: what comes later may repeat what a tenant wrote.
_FENCES: Final = re.compile(
    r"""pods "[^"]{0,253}" is forbidden: """
    r"ValidatingAdmissionPolicy 'podwright-(?P<policy>fence|shard-label)'(?: with binding '[^']{1,253}')? denied request: "
    r"(?P<compared>podwright fence: )?"
)
_TEXT_LIMIT: Final = 1024


LONGEST_RETRY_AFTER: Final = 60.0
"""Seconds. The API server asks for a few; a proxy on the way that asks for a day is asked again after a minute."""


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of `details.causes`: which field is wrong, and how."""

    field: str = ""
    reason: str = ""
    message: str = ""


class StatusError(Exception):
    """The API server answered with an error: HTTP `code`, machine-readable `reason`, `message` for people.

    `genuine` says whether it was a Kubernetes Status, and not words of something on the way. `kind` (a plural) and `name` say
    which object it is about, where it says so.
    """

    def __init__(
        self,
        *,
        code: int,
        reason: str,
        message: str,
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
        genuine: bool = True,
        kind: str = "",
        name: str = "",
    ) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after
        self.genuine = genuine
        self.kind = kind
        self.name = name

    @property
    def fenced(self) -> bool:
        """Return whether the fence refused the write, be it for the epoch or since the Lease is not known there yet."""
        return self._fence is not None

    @property
    def proves_fence(self) -> bool:
        """Return whether the fence compared epochs and refused the write for that alone."""
        found = self._fence
        return found is not None and found["policy"] == "fence" and found["compared"] is not None

    @property
    def _fence(self) -> re.Match[str] | None:
        return _FENCES.match(self.message) if self.genuine and self.code in (403, 422) else None

    @property
    def passing(self) -> bool:
        """Return whether the answer says nothing about the request itself: overload, an error of the server, or a proxy's."""
        return not self.genuine or self.code == 429 or self.code >= 500

    def proves_absence(self, resource: Resource, name: str) -> bool:
        """Return whether the API server itself says that there is no such object."""
        return (
            self.genuine
            and self.code == 404
            and self.reason == "NotFound"
            and self.kind == resource.plural
            and self.name == name
        )


class DecodeError(ValueError):
    """An answer is not what the API promises; the message says where it differs."""


class _StatusCause(msgspec.Struct, gc=False):
    field: str = ""
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, gc=False, rename="camel"):
    kind: str = ""
    name: str = ""
    causes: list[_StatusCause] | None = None
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct, gc=False):
    kind: str
    code: int | None = None
    reason: str = ""
    message: str = ""
    details: _Details | None = None


_STATUS: Final = msgspec.json.Decoder(_Status)


def parse_status(code: int, body: bytes, *, retry_after: float | None = None) -> StatusError:
    """Make an exception of an error answer, whatever its body is.

    Args:
        code: the HTTP status; 0 if there is none, as within a watch. A Status that names another one is not believed.
        body: a Status, or what a proxy says in its own words.
        retry_after: seconds by the answer's header; counts if the body names none. Throttled requests have only that.
    """
    status = _status_in(body)
    if status is None or (code and status.code and status.code != code):
        return StatusError(code=code, reason="", message=_words(body), retry_after=retry_after, genuine=False)
    details = status.details or _Details()
    return StatusError(
        code=code or status.code or 0,
        reason=status.reason,
        message=status.message or "no message",
        causes=tuple(Cause(field=c.field, reason=c.reason, message=c.message) for c in details.causes or ()),
        retry_after=min(details.retry_after_seconds, LONGEST_RETRY_AFTER)
        if details.retry_after_seconds
        else retry_after,
        kind=details.kind,
        name=details.name,
    )


def is_foreign(code: int, body: bytes) -> bool:
    """Return whether an answer of refusal or redirection comes from something on the way and not from an API server.

    Throttling and server errors are left out: the API server itself answers some of them in plain words.
    """
    return 300 <= code < 500 and code != 429 and not parse_status(code, body).genuine


def _status_in(body: bytes) -> _Status | None:
    try:
        status = _STATUS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return status if status.kind == "Status" else None


def _words(body: bytes) -> str:
    return body[:_TEXT_LIMIT].decode(errors="replace").strip() or "empty answer"
