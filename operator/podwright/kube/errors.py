"""What the API server says when it refuses: `metav1.Status` bodies as exceptions, and answers that make no sense.

Used by everything that reads answers. Must not judge whether an error is worth a retry: that is the caller's policy.
"""

from typing import Final

import msgspec

_FENCE_WORDS: Final = ("podwright fence:", "podwright-fence")
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

    `genuine` says whether it was a Kubernetes Status, and not words of something on the way.
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
    ) -> None:
        super().__init__(f"{code} {reason}: {message}" if reason else f"{code}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after
        self.genuine = genuine

    @property
    def fenced(self) -> bool:
        """Return whether the fencing policy refused the write: somebody else holds the shard now."""
        return any(words in self.message for words in _FENCE_WORDS)


class DecodeError(ValueError):
    """An answer is not what the API promises; the message says where it differs."""


class _StatusCause(msgspec.Struct, gc=False):
    field: str = ""
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, gc=False, rename="camel"):
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
        code: the HTTP status; counts if the body names none.
        body: a Status, or what a proxy says in its own words.
        retry_after: seconds by the answer's header; counts if the body names none. Throttled requests have only that.
    """
    try:
        status = _STATUS.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return StatusError(code=code, reason="", message=_words(body), retry_after=retry_after, genuine=False)
    if status.kind != "Status":
        return StatusError(code=code, reason="", message=_words(body), retry_after=retry_after, genuine=False)
    details = status.details or _Details()
    return StatusError(
        code=status.code or code,
        reason=status.reason,
        message=status.message or "no message",
        causes=tuple(Cause(field=c.field, reason=c.reason, message=c.message) for c in details.causes or ()),
        retry_after=min(details.retry_after_seconds, LONGEST_RETRY_AFTER)
        if details.retry_after_seconds
        else retry_after,
    )


def _words(body: bytes) -> str:
    return body[:_TEXT_LIMIT].decode(errors="replace").strip() or "empty answer"
