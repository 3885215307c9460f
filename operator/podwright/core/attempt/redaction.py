"""What tasks and nodes write is shown in status, to whoever may read jobs: obvious secrets and control characters are taken out.

A net with a wide mesh, not a guarantee: what does not look like a secret passes. All expressions are RE2's, so the time is
linear in the text whatever it holds; callers bound its length.
"""

from typing import Any, Final

import re2

REPLACEMENT: Final = "[redacted]"

_KEY: Final = (
    r"(?:password|passwd|pwd|passphrase|secret|token|api[_.-]?key|access[_.-]?key|secret[_.-]?key|private[_.-]?key"
    r"|account[_.-]?key|credentials?|x-amz-signature)"
)
# Quoted, quoted within a quoted text (\"…\"), or up to the next space.
_VALUE: Final = r"""(?:"(?s:[^"\\]|\\.)*"?|'(?s:[^'\\]|\\.)*'?|\\+"[^"]*"?|[^\s"']+)"""

# (expression, what replaces it), in this order: what is longest and surest first.
_SECRETS: Final = tuple(
    (re2.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY( BLOCK)?-----(?s:.*?)(-----END [A-Z0-9 ]{0,40}-----|\z)", REPLACEMENT),
        # URLs with user and password; a user alone (ssh://git@host) is no secret.
        (r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#:@\"'<>]*:[^\s/?#\"'<>]+@", rf"\1{REPLACEMENT}@"),
        (r"\bey[JK][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)+", REPLACEMENT),  # JSON Web Tokens
        (r"\b(AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z0-9]{16}\b", REPLACEMENT),  # AWS
        (r"\b(gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,})", REPLACEMENT),
        (r"(?i)\b(authorization\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\r\n\"']+", rf"\1{REPLACEMENT}"),
        (r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}", rf"\1{REPLACEMENT}"),
        # key=value, and "key": value as in JSON. A bare key: value is prose too often ("unexpected token: x"), but for these.
        (rf"(?i)({_KEY}(?:\\*[\"']\s*:|\\*[\"']?\s*=)\s*){_VALUE}", rf"\1{REPLACEMENT}"),
        (rf"(?i)\b((?:password|passwd|passphrase|api[_-]?key|secret[_-]?key)\s*:\s*)(?:{_VALUE})", rf"\1{REPLACEMENT}"),
        (rf"(?i)(--?[a-z-]*{_KEY}\s+)[^\s\"'&-]\S*", rf"\1{REPLACEMENT}"),
    )
)
_SECRET_NAME: Final = re2.compile(rf"(?i){_KEY}\z")
_CONTROL: Final = re2.compile(
    r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]"  # ANSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(\x07|\x1b\\|\z)"  # window titles, links and other strings to the terminal
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]"  # and what turns text around
)


def redacted(text: str) -> str:
    """Return `text` without control characters (but line ends and tabs) and without what looks like a secret."""
    if not text:
        return text
    # First the control characters: they could hide a secret from the expressions, and not from a reader.
    shown = str(_sub(_CONTROL, "", text))
    for pattern, replacement in _SECRETS:
        shown = str(_sub(pattern, replacement, shown))
    return shown


def names_secret(key: str) -> bool:
    """Return whether a value under this key is a secret by its name alone."""
    return _SECRET_NAME.search(key) is not None


def _sub(pattern: Any, replacement: str, text: str) -> str:
    # Looking first is a third of the cost, and most texts hold nothing.
    return text if pattern.search(text) is None else str(pattern.sub(replacement, text))
