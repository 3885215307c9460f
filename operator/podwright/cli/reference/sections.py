"""A generated section of a page lies between two comments; everything around it is written by hand."""

import re
from collections.abc import Iterable, Sequence


class SectionError(ValueError):
    """A page lacks a section, or has it twice; the message says which."""


def with_section(text: str, *, name: str, content: str) -> str:
    """Return the page with another content of section `name`. Raises SectionError."""
    begin, end = f"<!-- generated: {name}, by `make crds` -->", f"<!-- end of {name} -->"
    parts = re.split(f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})", text, flags=re.DOTALL)
    if len(parts) != 2:
        raise SectionError(f"must have exactly one section between the lines `{begin}` and `{end}`")
    return f"{parts[0]}\n{content.strip()}\n\n{parts[1]}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown. What would break its lines or columns is escaped."""
    lines = [headings, ["---"] * len(headings), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
