"""What tasks and nodes write is shown in status, to whoever may read jobs: secrets and what steers a terminal are taken out.

A net, not a guarantee: what does not look like a secret passes. All expressions are RE2's, so the time is linear in the text
whatever it holds; callers bound its length. The shapes of tokens are their issuers' own, as they document them for secret scanning.
"""

import re
from typing import Any, Final

import re2

REPLACEMENT: Final = "[redacted]"

_KEY: Final = (
    r"(?:password|passwd|pwd|passphrase|secret|token|api[_.-]?key|access[_.-]?key|secret[_.-]?key(?:[_.-]base)?|private[_.-]?key"
    r"|account[_.-]?key|encryption[_.-]?key|signing[_.-]?key|credentials?|connection[_.-]?string|[_.-]pass"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token))"
)
# Quoted, quoted within a quoted text (\"…\"), or up to the next space.
_QUOTED: Final = r"""(?:"(?s:[^"\\]|\\.)*"?|'(?s:[^'\\]|\\.)*'?|\\+"[^"]*"?)"""
_VALUE: Final = rf"""(?:{_QUOTED}|[^\s"']+)"""
# What ends a key of settings wherever it stands (DB_PASSWORD, aws_secret_access_key), and no sentence.
_SURE_KEY: Final = (
    r"(?:password|passwd|passphrase|[_.-]pwd|client[_.-]?secret|secret[_.-]?key(?:[_.-]base)?|connection[_.-]string"
    r"|(?:api|access|private|account|encryption|signing)[_.-]?key)"
)
_PEM: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_TOKENS: Final = "|".join(
    (
        r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z0-9]{16}\b",  # AWS
        r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",  # Google
        r"gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}",
        r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{20,}|GR1348941[\w-]{20,}",
        r"xox[abceprs]-[\w-]{10,}|xapp-[\w-]{10,}",  # Slack
        r"[sprw][kh]_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",  # Stripe
        r"sk-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}",  # OpenAI, Anthropic, Hugging Face, Groq
        r"npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}|rubygems_[a-f0-9]{48}|dckr_pat_[\w-]{20,}",  # package registries
        r"SG\.[\w-]{16,}\.[\w-]{16,}|key-[a-f0-9]{32}\b|[a-f0-9]{32}-us[0-9]{1,2}\b",  # SendGrid, Mailgun, Mailchimp
        r"(?:AC|SK)[a-f0-9]{32}\b|[0-9]{8,10}:[\w-]{35}\b",  # Twilio, Telegram
        r"dop_v1_[a-f0-9]{64}|dapi[a-f0-9]{32}|hvs\.[\w-]{20,}|hvb\.[\w-]{20,}",  # DigitalOcean, Databricks, Vault
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|sq0[a-z]{3}-[\w-]{22,}|lin_api_[A-Za-z0-9]{30,}|glsa_\w{30,}",
        r"ATATT3[\w=-]{50,}|NRAK-[A-Z0-9]{20,}|PMAK-[a-f0-9-]{30,}|AGE-SECRET-KEY-1[A-Z0-9]{40,}",
        r"ey[JK][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)+",  # JSON Web Tokens
        r"[MNO][A-Za-z0-9_-]{23,25}\.[\w-]{6}\.[\w-]{27,}",  # Discord
    )
)
_HOOKS: Final = "|".join(
    (
        r"hooks\.slack\.com/(?:services|workflows|triggers)/",
        r"discord(?:app)?\.com/api/webhooks/",
        r"[\w.-]{1,100}\.webhook\.office\.com/",
        r"[\w.-]{1,100}\.logic\.azure\.com[:/]",
        r"hooks\.zapier\.com/hooks/",
        r"chat\.googleapis\.com/v1/spaces/",
        r"api\.telegram\.org/bot",
    )
)

# (expression, what replaces it), in this order: what is longest and surest first.
_RULES: Final = (
    (rf"-----BEGIN {_PEM}(?s:.*?)-----END {_PEM}", REPLACEMENT),
    # One that was cut off at its beginning, then at its end.
    (rf"(?:[A-Za-z0-9+/=]{{16,}}(?:\s|\\n|\\r)+)*[A-Za-z0-9+/=]*(?:\s|\\n)*-----END {_PEM}", REPLACEMENT),
    (r"-*(?:BEGIN )?(?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?s:.*)\z", REPLACEMENT),
    (rf"(?i)\b((?:https?://)?(?:{_HOOKS}))[^\s\"'<>]+", rf"\1{REPLACEMENT}"),
    # URLs with user and password, or with a token as user; a short user alone (ssh://git@host) is no secret.
    (r"\b([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#:@\"'<>]*:[^\s/?#\"'<>]+@", rf"\1{REPLACEMENT}@"),
    (r"\b([A-Za-z][A-Za-z0-9+.-]*://)[\w.~%+-]{16,}@", rf"\1{REPLACEMENT}@"),
    (rf"\b(?:{_TOKENS})", REPLACEMENT),
    (r"(?i)\b((?:proxy-)?authorization\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\r\n\"']+", rf"\1{REPLACEMENT}"),
    (r"(?i)\b((?:set-)?cookie\\*[\"']?\s*:\s*\\*[\"']?)[^\r\n\"']+", rf"\1{REPLACEMENT}"),
    (r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{16,}", rf"\1{REPLACEMENT}"),
    (r"(?i)([?&](?:sig|signature|code|auth)=)[^&\s\"']+", rf"\1{REPLACEMENT}"),
    # key=value, => or :=, "key": value as in JSON, [key] => value as PHP prints it. A bare key: value is prose too often
    # ("unexpected token: x"), but for those below.
    (rf"(?i)({_KEY}(?:\\*[\"']?\]?\s*(?:=>?|:=)|\\*[\"']\]?\s*:|\]\s*:)\s*){_VALUE}", rf"\1{REPLACEMENT}"),
    (rf"(?i)(<[\w.:-]{{0,60}}{_KEY}(?:\s[^<>]*)?>)(?:<!\[CDATA\[[^\]]*\]\]>|[^<]+)(</)", rf"\1{REPLACEMENT}\2"),
    (rf"(?i)(<[\w.:-]{{0,60}}{_KEY}(?:\s[^<>]*)?>)(?:<!\[CDATA\[)?[^<\s]+\z", rf"\1{REPLACEMENT}"),
    (
        r"(?i)(\bpass(?:\\*[\"']\s*:|\s*=)\s*)(?:\\*[\"'][^\"'\s]*[a-z][^\"']*|[^\s\"'0-9][^\s\"']*)",
        rf"\1{REPLACEMENT}",
    ),
    (rf"(?i)({_SURE_KEY}\s*:\s+){_VALUE}", rf"\1{REPLACEMENT}"),
    (rf"(?i)({_SURE_KEY}\s*:)(?:{_QUOTED}|[^\s\"'=][^\s\"']*)", rf"\1{REPLACEMENT}"),  # but not :=
    # A number here is a count: tests_pass: 12.
    (rf"(?i)([_.-]pass\s*:\s*)(?:{_QUOTED}|[0-9]*[^\s\"'=0-9.,;/%)][^\s\"']*)", rf"\1{REPLACEMENT}"),
    (r"(?i)\b((?:x-[a-z-]{0,40}(?:token|key|secret)|private-token)\s*:\s*)\S+", rf"\1{REPLACEMENT}"),
    (r"(?i)((?:token|secret)\s*:\s*)[A-Za-z0-9+/_=.-]{16,}", rf"\1{REPLACEMENT}"),
    (rf"(?i)(--?[a-z-]*(?:{_KEY}|-pass)\s+)[^\s\"'&-]\S*", rf"\1{REPLACEMENT}"),
    (r"(\bsshpass\s+-p\s*|\bcurl\s(?:.{0,200}\s)?(?:-u|--user)\s*)[^\s-]\S*", rf"\1{REPLACEMENT}"),
)
_SECRETS: Final = tuple((re2.compile(pattern), replacement) for pattern, replacement in _RULES)
# Most texts hold nothing, and one search for all is a tenth of the cost of one for each.
_ANY: Final = re2.compile("|".join(f"(?:{pattern})" for pattern, _ in _RULES))
_SECRET_NAME: Final = re2.compile(rf"(?i)(?:{_KEY}|\bsig|\bsignature)\z")
_WEAK_SECRET_NAME: Final = re2.compile(r"(?i)\bpass(?:code|key)?\z")
# The standard library's expressions are faster where there is much to replace, and these are linear: each part stops at the next ESC.
_CONTROL: Final = re.compile(
    r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]"  # ANSI: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|\Z)"  # window titles, links and other strings to the terminal
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    # What nobody sees: it turns text around, or stands between the letters of a word. Default_Ignorable_Code_Point of Unicode
    # (DerivedCoreProperties.txt), the separators of lines and paragraphs, and the marks of interlinear text.
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SHORTEST: Final = 5  # no expression above fits less


def redacted(text: str) -> str:
    """Return `text` without control characters (but line ends and tabs), invisible ones and what looks like a secret."""
    if not text:
        return text
    # First the invisible: they could hide a secret from the expressions, and not from a reader.
    shown = printable(text)
    if len(shown) < _SHORTEST or _ANY.search(shown) is None:
        return shown
    for pattern, replacement in _SECRETS:
        shown = str(_sub(pattern, replacement, shown))
    return shown


def printable(text: str) -> str:
    """Return `text` without control characters (but line ends and tabs) and invisible ones."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub("", text)


def names_secret(key: str, *, of_text: bool = True) -> bool:
    """Return whether a value under this key is a secret by its name alone.

    `of_text` tells whether the value is a text: some names are those of a result as often, such as the number of tests that pass.
    """
    return _SECRET_NAME.search(key) is not None or (of_text and _WEAK_SECRET_NAME.search(key) is not None)


def _sub(pattern: Any, replacement: str, text: str) -> str:
    # Looking first is a third of the cost.
    return text if pattern.search(text) is None else str(pattern.sub(replacement, text))
