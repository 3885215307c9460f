"""The reasons of jobs and attempts, from the list that the operator takes them from."""

import re

from podwright.cli.reference.sections import table
from podwright.core.constants.reasons import Reason, Subject

_FIELD = re.compile(r"\b[a-z]+(?:\.[a-zA-Z]+|[A-Z][a-zA-Z]*)+\b")


def render(subject: Subject) -> str:
    """A table of the reasons that a job or an attempt can have in this state."""
    chosen = [reason for reason in Reason if subject in reason.subjects]
    rows = ((f"`{reason}`", _marked(reason.meaning), _marked(reason.remedy)) for reason in chosen)
    return table(("Reason", "What it means", "What to do"), rows)


def _marked(text: str) -> str:
    """Mark the names of fields as code."""
    return _FIELD.sub(lambda name: f"`{name.group()}`", text)
