"""`python -m podwright.cli.reference [--check]`: write the sections, or fail if one of them is out of date."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from podwright.api.batchjob import BATCH_JOB
from podwright.cli.reference import commands, lifecycle, metrics, options, reasons, resource
from podwright.cli.reference.sections import SectionError, with_section
from podwright.core.constants.reasons import Subject

_TROUBLESHOOT: Final = Path("docs/how-to/troubleshoot.md")

SECTIONS: Final[Mapping[tuple[Path, str], Callable[[], str]]] = {
    (Path("docs/reference/batchjob.md"), "kubectl"): lambda: resource.columns(BATCH_JOB),
    (Path("docs/reference/batchjob.md"), "fields"): lambda: resource.fields(BATCH_JOB),
    (Path("docs/reference/cli.md"), "shared options"): commands.shared,
    (Path("docs/reference/cli.md"), "commands"): commands.render,
    (Path("docs/reference/metrics.md"), "metrics"): metrics.render,
    (Path("docs/reference/operator-options.md"), "options"): options.render,
    (Path("docs/explanation/job-lifecycle.md"), "diagram"): lifecycle.diagram,
    (Path("docs/explanation/job-lifecycle.md"), "transitions"): lifecycle.transitions,
    (_TROUBLESHOOT, "reasons of waiting"): lambda: reasons.render(Subject.WAITING),
    (_TROUBLESHOOT, "reasons of running"): lambda: reasons.render(Subject.ACTIVE),
    (_TROUBLESHOOT, "reasons of ending"): lambda: reasons.render(Subject.ENDED),
    (_TROUBLESHOOT, "reasons of attempts"): lambda: reasons.render(Subject.ATTEMPT),
}
"""Each section by its page and its name there."""

_REPOSITORY: Final = Path(__file__).parents[4]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the sections; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m podwright.cli.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a section isn't up to date")
    parser.add_argument("--into", type=Path, default=_REPOSITORY, help="root of the repository")
    options = parser.parse_args(arguments)
    failed = False
    for page in dict.fromkeys(page for page, _ in SECTIONS):
        path: Path = options.into / page
        try:
            before = path.read_text(encoding="utf-8")
            after = _with_sections(before, page=page)
        except (OSError, SectionError) as error:
            sys.stderr.write(f"{page}: {error}\n")
            failed = True
            continue
        if after == before:
            continue
        if options.check:
            sys.stderr.write(f"{page} isn't what the code says: run `make crds`\n")
            failed = True
        else:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"wrote {page}\n")
    return 1 if failed else 0


def _with_sections(text: str, *, page: Path) -> str:
    for (of, name), render in SECTIONS.items():
        if of == page:
            text = with_section(text, name=name, content=render())
    return text


if __name__ == "__main__":
    sys.exit(main())
