"""The marks of what Podwright's own programs write into termination messages: the runner of a pack, and the probe that ends idle containers.

Here is only how such a message is told from one of the user's program, which every verdict must know. What the runner's says about
tasks is read in `core.job.pack.report`; the programs themselves are in `core.job.pack.runner` and `core.job.pod.heartbeat`.
"""

from typing import Final

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
