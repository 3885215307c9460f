"""Refusals of the API server, as `metav1.Status` bodies. Raised by `api` and its policies, answered by `server`."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class ApiError(Exception):
    """A request that is answered with a `Status` of failure; nothing was stored."""

    def __init__(self, code: int, reason: str, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        """Return the `Status` object."""
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status

    def body(self) -> bytes:
        """Return the body of the answer."""
        return msgspec.json.encode(self.status())


def bad_request(message: str) -> ApiError:
    """The request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def internal(message: str) -> ApiError:
    """An error to which the API server gives no reason."""
    return ApiError(500, "", message)


def not_found(plural: str, name: str, *, group: str = "") -> ApiError:
    """There is no such object."""
    return ApiError(
        404, "NotFound", f'{_qualified(plural, group)} "{name}" not found', details=_details(plural, name, group)
    )


def already_exists(plural: str, name: str, *, group: str = "") -> ApiError:
    """The name is taken."""
    message = f'{_qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(plural, name, group))


def conflict(plural: str, name: str, why: str, *, group: str = "") -> ApiError:
    """A precondition (resourceVersion or uid) does not hold."""
    message = f'Operation cannot be fulfilled on {_qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(plural, name, group))


def forbidden(
    plural: str, name: str, why: str, *, group: str = "", causes: Sequence[Mapping[str, str]] = ()
) -> ApiError:
    """An admission rule refuses the request."""
    details = _details(plural, name, group)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f'{_qualified(plural, group)} "{name}" is forbidden: {why}', details=details)


def invalid(kind: str, name: str, *causes: tuple[str, str], group: str = "") -> ApiError:
    """The object breaks its schema or a rule. A cause is a field and what is wrong with it."""
    told = [f"{field}: {why}" for field, why in causes]
    message = (
        f'{_qualified(kind, group)} "{name}" is invalid: {told[0] if len(told) == 1 else "[" + ", ".join(told) + "]"}'
    )
    details = _details(kind, name, group)
    details["causes"] = [{"reason": "FieldValueInvalid", "message": why, "field": field} for field, why in causes]
    return ApiError(422, "Invalid", message, details=details)


def unprocessable_patch() -> ApiError:
    """A JSON patch that cannot be applied."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def expired(message: str) -> ApiError:
    """The history that the request asks for is compacted away."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """The body's content type is not served here."""
    accepts = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {accepts}"
    return ApiError(415, "UnsupportedMediaType", message)


def _qualified(name: str, group: str) -> str:
    return f"{name}.{group}" if group else name


def _details(kind: str, name: str, group: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name, "kind": kind}
    if group:
        details["group"] = group
    return details
