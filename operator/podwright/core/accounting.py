"""How surely the end of a pod is seen: the operator's setting `accounting`, with what each choice promises."""

import enum


class Accounting(enum.StrEnum):
    """What keeps a pod until its end is on record."""

    EXACT = "Exact"
    """A finalizer does: no end is ever missed. It costs a third write for each pod, which takes the finalizer off."""
    BULK = "Bulk"
    """Nothing does: a pod that ends and is deleted while no operator watches leaves no trace, and its attempt runs again."""
