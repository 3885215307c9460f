"""What the API server accepts and nobody could carry out."""

from podwright.core.job.problem import array_problem


def test_d6_packs_are_not_sequential() -> None:
    problem = array_problem(size=6, items=(), tasks=None, success=None, sequential=True, pack=2)
    assert problem.startswith("spec.array.sequential can't be combined with spec.array.pack (2)")
    assert not array_problem(size=6, items=(), tasks=None, success=None, sequential=True, pack=1)
