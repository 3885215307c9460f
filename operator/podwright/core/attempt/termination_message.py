"""Termination messages: whether a program of ours wrote one, and how long they may be in status.

Two of our programs write them: the runner of a pack, and the probe that ends idle containers. Every verdict must know them from
those of users' programs. What the runner says about tasks is read in `core.job.pack.report`; the programs themselves are in
`core.job.pack.runner` and `core.job.pod.heartbeat`.
"""

from typing import Final

MESSAGE_LIMIT: Final = 1024
"""Most characters of a message in status, as the schema has it."""
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
