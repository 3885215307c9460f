"""What a refused pod creation means: whether the same request can ever succeed, when to ask again, and when to give up.

Facts: API server error reasons (apimachinery `metav1.StatusReason`), and the messages of the admission plugins that answer 403 for
very different causes (k8s.io/kubernetes `plugin/pkg/admission`: resourcequota, limitranger, priority, serviceaccount, runtimeclass);
the reason alone does not tell a quota from a policy. Only a Kubernetes Status refuses anything: what a proxy says may be over in a minute.
"""

import re
from typing import Final

from podwright.core.attempt.ending import current_number
from podwright.core.attempt.redaction import redacted
from podwright.core.attempt.refusal_cause import WAITED_OUT, cause_of
from podwright.core.constants.reasons import Reason
from podwright.core.model.attempt import Refusal, RefusalKind
from podwright.core.model.job import JobStatus
from podwright.core.model.phase import Phase
from podwright.core.spec import Escalation
from podwright.core.values.jitter import fraction
from podwright.core.values.quantity import parse_quantity

_FIRST_DELAY: Final = 1.0
_LONGEST_DELAY: Final = 30.0
_LONGEST_DENIAL_DELAY: Final = 15.0
DENIAL_PATIENCE: Final = 60.0
"""Seconds for which a policy's denial is asked again: its data may be loaded late, or the policy be corrected."""
_DENIALS: Final = 5  # the least number of them, however long the operator itself paused

# A refusal whose message holds one of these can pass later without the job being changed.
_PASSING: Final = (
    ("exceeded quota", Reason.QUOTA_EXCEEDED),
    ("status unknown for quota", Reason.QUOTA_EXCEEDED),  # it was just made and isn't computed yet
    ("failed quota", Reason.QUOTA_UNSATISFIABLE),  # "must specify limits.cpu": no amount of waiting adds them
    ("insufficient quota to match these scopes", Reason.QUOTA_UNSATISFIABLE),
    ("error looking up service account", Reason.SERVICE_ACCOUNT_MISSING),
    ("no API token found for service account", Reason.SERVICE_ACCOUNT_MISSING),
    ("no PriorityClass with name", Reason.PRIORITY_CLASS_MISSING),
    ("is being terminated", Reason.NAMESPACE_TERMINATING),
    ("cannot create resource", Reason.OPERATOR_FORBIDDEN),
    ("not yet ready to handle request", Reason.API_SERVER_NOT_READY),
)
_RUNTIME_CLASS: Final = re.compile(r'RuntimeClass "?[^"]{0,253}"? not found')
_DENIED: Final = ("denied the request", "denied request", "violates PodSecurity")
# Only from the beginning: what comes later may repeat what a tenant wrote.
_INVALID: Final = re.compile(r'Pod "[^"]{0,253}" is invalid: ')
_WEBHOOK_FAILED: Final = re.compile(r'(?:Internal error occurred: )?failed calling webhook "')
_WEBHOOK_DENIED: Final = re.compile(r'admission webhook "[^"]{1,253}" denied the request')
_TOO_LARGE: Final = ("request is too large", "message larger than max", "entity too large")
# A server error with one of these came before anything was stored.
_BEFORE_STORAGE: Final = ("failed calling webhook", "failed to complete mutation", "denied the request", *_TOO_LARGE)
# Admission that never changes its mind about the same pod: limits of a LimitRange.
_LIMIT_RANGE: Final = re.compile(
    r"(?:maximum|minimum) [a-z0-9./-]{1,128} usage per (?:Container|Pod) is |max limit to request ratio per "
)
_MEMORY: Final = re.compile(r"(?i)\bmemory\b")
_MEMORY_OR_CPU: Final = re.compile(r"(?i)\b(?:memory|cpu)\b")
_MORE_MEMORY: Final = "OOMKilled; more memory was refused: "
_LASTING_CODES: Final = frozenset({400, 413, 422})
_QUOTA: Final = re.compile(
    r"requested: (?P<requested>[^\s]{1,2000}), used: [^\s]{1,2000}, limited: (?P<limited>[^\s]{1,2000})"
)
_COUNTED: Final = re.compile(r"(?:count/)?pods\Z")
_WORDS_LIMIT: Final = 200
_WAITING: Final = frozenset({Phase.PENDING, Phase.RETRYING})


def classify(*, code: int, message: str, genuine: bool = True) -> tuple[RefusalKind, str]:
    """Return what an HTTP answer to a pod creation means, other than success, conflict and throttling, and the reason in a word.

    A policy's denial is retryable by this; `refused` knows when it has been asked often enough.

    Args:
        code: the HTTP status.
        message: of the Status, or the words of whatever answered.
        genuine: whether the answer is a Kubernetes Status.
    """
    if not genuine:
        return RefusalKind.RETRYABLE, Reason.POD_CREATION_FAILED
    if too_large(message) or (code == 422 and _INVALID.match(message)):
        return RefusalKind.PERMANENT, Reason.POD_REJECTED
    if _WEBHOOK_FAILED.match(message):
        return RefusalKind.RETRYABLE, Reason.ADMISSION_WEBHOOK_FAILED
    if code >= 500:
        return RefusalKind.RETRYABLE, Reason.POD_CREATION_FAILED
    if _is_denial(message):
        return RefusalKind.RETRYABLE, Reason.POD_REJECTED
    if code == 403:
        return _forbidden(message)
    if code in _LASTING_CODES:
        return RefusalKind.PERMANENT, Reason.POD_REJECTED
    return RefusalKind.RETRYABLE, Reason.POD_CREATION_FAILED


def too_large(message: str) -> bool:
    """Return whether the object is larger than the API server or etcd takes: nothing but a smaller job helps."""
    return any(words in message for words in _TOO_LARGE)


def denied_by_webhook(message: str) -> bool:
    """Return whether an admission webhook denied the request; it may do so with any code and reason."""
    return _WEBHOOK_DENIED.match(message) is not None


def surely_not_created(*, code: int, message: str) -> bool:
    """Return whether a server error (5xx) surely came before anything was stored, so that it is a refusal and no riddle."""
    return code >= 500 and any(words in message for words in _BEFORE_STORAGE)


def refused(
    *,
    before: Refusal | None,
    task_index: int,
    attempt: int,
    job_uid: str,
    code: int,
    message: str,
    now: float,
    genuine: bool = True,
) -> Refusal:
    """Return what is to be remembered of a refusal: with the former one, how often and for how long pods were refused.

    Args:
        before: the job's last refusal, if no pod of it was created since.
        task_index: of the pod.
        attempt: of the pod.
        job_uid: the job's.
        code: the HTTP status.
        message: the server's words.
        now: Unix seconds.
        genuine: whether the answer is a Kubernetes Status.
    """
    kind, reason = classify(code=code, message=message, genuine=genuine)
    count = _count(before=before, task_index=task_index, attempt=attempt, job_uid=job_uid, now=now)
    since = before.since if before is not None and before.reason == reason else now
    if reason == Reason.POD_REJECTED and count >= _DENIALS and now - since >= DENIAL_PATIENCE:
        kind = RefusalKind.PERMANENT
    message = _explained(reason=reason, message=message, code=code, genuine=genuine)
    return Refusal(
        task_index=task_index,
        attempt=attempt,
        kind=kind,
        reason=reason,
        message=message,
        at=now,
        count=count,
        since=since,
        cause=cause_of(kind=kind, reason=reason, message=message),
    )


def recalled(status: JobStatus, *, now: float) -> Refusal | None:
    """Return the refusal that the status of a job of one task tells of, as far as it is waited out; None if there is none.

    After a restart, or with a new leader, this puts a job back into the line that it waited in.
    """
    if status.phase not in _WAITING:
        return None
    return on_record(reason=status.reason, message=status.message, attempt=current_number(status), now=now)


def on_record(*, reason: str, message: str, attempt: int, now: float) -> Refusal | None:
    """Return the refusal of which only the words are known, if it is one that is waited out in a line."""
    if reason not in WAITED_OUT:
        return None
    kind = RefusalKind.RETRYABLE
    cause = cause_of(kind=kind, reason=reason, message=message)
    return Refusal(attempt=attempt, kind=kind, reason=reason, message=message, at=now, count=1, since=now, cause=cause)


def ask_again_at(*, refusal: Refusal, job_uid: str) -> float:
    """Return the time of the next try: doubling from one second to half a minute, at least half of it always waited."""
    longest = _LONGEST_DENIAL_DELAY if refusal.reason == Reason.POD_REJECTED else _LONGEST_DELAY
    ceiling = min(longest, _FIRST_DELAY * 2.0 ** min(refusal.count - 1, 16))
    return refusal.at + ceiling * (0.5 + 0.5 * fraction(job_uid, "refusal", refusal.count))


def refuses_more_memory(*, refusal: Refusal, out_of_memory: int, escalation: Escalation | None) -> bool:
    """Return whether it is what was added after running out of memory which is refused: memory, or the CPU that grows with it.

    Such a job did run, and only more memory helps: its retries are used up, rather than its spec wrong. A LimitRange, a policy's
    denial and the API server's validation all name the resource.
    """
    if out_of_memory < 1 or escalation is None or refusal.kind is not RefusalKind.PERMANENT:
        return False
    return (_MEMORY_OR_CPU if escalation.max_cpu else _MEMORY).search(refusal.message) is not None


def refused_memory(refusal: Refusal) -> str:
    """Return the words about such a refusal."""
    return f"{_MORE_MEMORY}{refusal.message}"


def more_memory_refused(message: str) -> bool:
    """Return whether an attempt's message is `refused_memory`."""
    return message.startswith(_MORE_MEMORY)


def _forbidden(message: str) -> tuple[RefusalKind, str]:
    if _LIMIT_RANGE.search(message):
        return RefusalKind.PERMANENT, Reason.POD_REJECTED
    if _RUNTIME_CLASS.search(message):
        return RefusalKind.RETRYABLE, Reason.RUNTIME_CLASS_MISSING
    for words, reason in _PASSING:
        if words in message:
            never = reason is Reason.QUOTA_EXCEEDED and _is_above_quota(message)
            return RefusalKind.RETRYABLE, Reason.QUOTA_UNSATISFIABLE if never else reason
    return RefusalKind.RETRYABLE, Reason.POD_REJECTED


def _is_denial(message: str) -> bool:
    return any(words in message for words in _DENIED)


def _is_above_quota(message: str) -> bool:
    """Return whether the pod asks for more than the whole quota has, so that it is refused even when nobody else uses any.

    A quota of no pods at all is how a namespace is closed for a while; that is worth waiting for.
    """
    amounts = _QUOTA.search(message)
    if amounts is None:
        return False
    limited = dict(part.split("=", 1) for part in amounts["limited"].split(",") if "=" in part)
    for part in amounts["requested"].split(","):
        name, _, requested = part.partition("=")
        try:
            if parse_quantity(requested) > parse_quantity(limited.get(name, "")) and not _COUNTED.fullmatch(name):
                return True
        except ValueError:
            continue
    return False


def _count(*, before: Refusal | None, task_index: int, attempt: int, job_uid: str, now: float) -> int:
    if before is None:
        return 1
    if (before.task_index, before.attempt) == (task_index, attempt):
        return before.count + 1
    if now < ask_again_at(refusal=before, job_uid=job_uid):
        return before.count  # of many pods that an array asked for at once, all are refused at once
    return before.count + 1 if task_index != before.task_index else 1


def _explained(*, reason: str, message: str, code: int, genuine: bool) -> str:
    message = redacted(message)
    if not genuine:
        return f"HTTP {code}, which is not a response of the API server: {message[:_WORDS_LIMIT]}"
    if reason == Reason.QUOTA_UNSATISFIABLE:
        return f"no quota of this namespace can ever admit the pod as it is: {message}"
    return message
