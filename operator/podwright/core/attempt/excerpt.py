"""What is kept of a message that is too long for status: its end, where programs say what went wrong.

The kubelet hands over the last lines of a log as message of a container that failed and wrote none.
"""

from typing import Final

MESSAGE_LIMIT: Final = 1024
"""Most characters of a message in status, as the schema has it."""
_CUT: Final = "… "


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
