"""Limits of the API that both the schema and the operator must know. `docs/reference/batchjob.md` shows them by field."""

from typing import Final

LONGEST_DEDUP_WINDOW: Final = "30d"
"""How long an idempotency key may be remembered after the job's end: each costs a Lease in the operator's namespace."""
MOST_DEDUP_SECONDS: Final = 30 * 86_400.0
"""The same in seconds, for what was stored before there was a limit."""
MOST_KEYS: Final = 100_000
"""Idempotency keys of a namespace that are remembered at once, about 70 MB of etcd; jobs with further keys wait."""
MOST_ITEMS: Final = 10_000
"""Items of an array."""
MOST_VARIABLE_BYTES: Final = 131_071
"""Bytes of one variable, `NAME=value`: the kernel takes no longer string (MAX_ARG_STRLEN, which counts a closing NUL)."""
