"""Termination messages: whether a program of ours wrote one, and what status keeps of one that is too long for it.

Two of our programs write them: the runner of a pack, and the probe that ends idle containers. Every verdict must know them from
those of users' programs. What the runner says about tasks is read in `core.job.pack.report`; the programs themselves are in
`core.job.pack.runner` and `core.job.pod.heartbeat`.
"""

from typing import Final

MESSAGE_LIMIT: Final = 1024
"""Most characters of a message in status, as the schema has it."""
_CUT: Final = "… "
PACK_REPORT: Final = "podwright pack: "
STALLED: Final = "no progress"
"""The part of a pack's report that says that the probe ended it."""
NO_PROGRESS: Final = "podwright: no progress for "  # as the script of the probe writes it


def is_report(message: str) -> bool:
    """Return whether a termination message is the runner's."""
    return message.startswith(PACK_REPORT)


def ended_for_lack_of_progress(message: str) -> bool:
    """Return whether the message of a container that ended says that the probe found it idle for too long."""
    return message.startswith(NO_PROGRESS) or (is_report(message) and f"; {STALLED}." in message)


def tail(text: str, *, limit: int = MESSAGE_LIMIT) -> str:
    """Return the end of a text, from the beginning of a line if one is near, marked as cut if it is; without outer white space."""
    text = text.strip()
    if len(text) <= limit:
        return text
    kept = text[len(_CUT) - limit :]
    _, line_end, whole_lines = kept.partition("\n")
    near = line_end and len(whole_lines) >= len(kept) // 2
    return _CUT + (whole_lines if near else kept).lstrip()


def last_line(text: str, *, limit: int) -> str:
    """Return the last line of a text that isn't blank, its end if it is longer than the limit, with tabs as spaces."""
    lines = text.strip().splitlines()
    return tail(lines[-1].replace("\t", " "), limit=limit) if lines else ""
