"""Reads the code blocks of a page. What a block is follows from its language alone:

- `sh`: commands that a reader types. They are run, block after block, in one shell and one namespace for each page.
- `yaml`: a manifest or a part of one. If its first line is a comment with a file name, the reader saves it under that name,
  and so does the test, before the blocks that follow. Every one must be valid.
- `text`: output, or commands that can't be run on a page's own. `mermaid`: a drawing. Neither is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LANGUAGES = frozenset({"sh", "yaml", "text", "mermaid"})
_FENCE = re.compile(r"^```(?P<language>\S*)\n(?P<content>.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE_NAME = re.compile(r"# (?P<name>[\w.-]+\.yaml)\n")


@dataclass(frozen=True)
class Block:
    """A code block."""

    language: str
    content: str
    line: int
    """Of its first line in the page, from 1."""

    @property
    def file_name(self) -> str:
        """Under which name the reader saves it; empty if it is only shown."""
        match = _FILE_NAME.match(self.content) if self.language == "yaml" else None
        return match["name"] if match else ""


def pages() -> list[Path]:
    """All pages for users, relative to the repository; decision records aren't instructions."""
    found = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return [path.relative_to(REPOSITORY) for path in found if "adr" not in path.parts]


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return [
        Block(match["language"], match["content"], text.count("\n", 0, match.start()) + 2)
        for match in _FENCE.finditer(text)
    ]


def script(page: Path) -> str:
    """What a reader of the page types, as one shell script that stops at the first failure and then names its line."""
    lines = ["set -euo pipefail", "trap 'echo \"failed in the block that begins at line $LINE\" >&2' ERR"]
    for block in blocks(page):
        if block.file_name:
            lines += [f"cat > {block.file_name} <<'END_OF_MANIFEST'", block.content + "END_OF_MANIFEST"]
        elif block.language == "sh":
            lines += [f"LINE={block.line}", block.content]
    return "\n".join(lines)
