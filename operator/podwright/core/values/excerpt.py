"""The end of a text that is too long for where it is to be shown: programs say there what went wrong. Used by all of core."""

from typing import Final

_CUT: Final = "… "


def tail(text: str, *, limit: int) -> str:
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
