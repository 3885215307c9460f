"""The list of reasons: complete, unambiguous."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from podwright import core
from podwright.core.attempt.refusal import classify
from podwright.core.constants.reasons import Reason, Subject
from podwright.core.run.stop import Stop


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_says_what_it_means(reason: Reason) -> None:
    """In sentences, on one line, of something."""
    assert reason.subjects
    assert reason.meaning.endswith(".")
    assert not reason.remedy or reason.remedy.endswith((".", "why.", "redrive."))
    assert "\n" not in reason.meaning + reason.remedy


def test_no_reason_is_listed_twice() -> None:
    """An enum would make the second an alias, in silence."""
    assert len(Reason.__members__) == len(list(Reason))


def test_a_reason_is_its_word() -> None:
    """On the wire, in comparisons and as a key."""
    assert msgspec.json.encode({"reason": Reason.COMPLETED}) == b'{"reason":"Completed"}'
    assert f"{Reason.OOM_KILLED}" == "OOMKilled"
    assert {"OOMKilled": 1}[Reason.OOM_KILLED] == 1


def test_words_of_kubernetes_that_are_not_listed_are_unknown() -> None:
    """They are passed on as they are."""
    assert Reason.known("Completed") is Reason.COMPLETED
    assert Reason.known("CreateContainerConfigError") is None


def test_every_stop_is_a_listed_reason() -> None:
    """A stop's value is the reason in status."""
    for stop in Stop:
        listed = Reason.known(stop)
        assert listed is not None
        assert Subject.ACTIVE in listed.subjects or stop is Stop.SUSPENDED


@pytest.mark.parametrize(
    ("code", "message"), [(403, "exceeded quota"), (403, "x"), (422, ""), (500, ""), (500, "failed calling webhook")]
)
def test_every_refusal_is_a_listed_reason(code: int, message: str) -> None:
    """Whatever the API server answers."""
    assert Reason.known(classify(code=code, message=message)[1])


def test_policies_take_their_reasons_from_the_list() -> None:
    """A literal would be missing from the documentation, or change without it."""
    root = Path(core.__file__).parent
    modules = {path: path.read_text() for path in root.rglob("*.py") if path != root / "constants" / "reasons.py"}
    literal = [f"{path.relative_to(root)}: {text}" for path, code in modules.items() for text in _literals(code)]
    assert len(modules) > 50
    assert not literal


def test_literals_are_found() -> None:
    code = """
class Phase(enum.StrEnum):
    SUSPENDED = "Suspended"
f(reason="Anything")
return Phase.PENDING, "Resumed"
"""
    assert sorted(_literals(code)) == ["Anything", "Resumed"]


def _literals(code: str) -> Iterator[str]:
    """Yield the texts that are a reason, or given as one. Members of other enums may have the same word."""
    tree = ast.parse(code)
    members = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "enum" in ast.unparse(ast.Tuple(elts=node.bases)).lower()
        for statement in node.body
        if isinstance(statement, ast.Assign)
    }
    given = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "reason"}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in members)
    for node in constants:
        text = node.value
        if isinstance(text, str) and text and (id(node) in given or Reason.known(text) is not None):
            yield text
