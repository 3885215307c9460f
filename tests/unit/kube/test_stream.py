import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.kube.stream import LineSplitter, LineTooLongError


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.data())
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    splitter = LineSplitter()
    got = [
        line
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for line in splitter.feed(stream[start:end])
    ]
    assert got == [line for line in lines if line]


def test_an_unfinished_line_waits() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.feed(b"o") == []
    assert splitter.feed(b"\n") == [b"two"]
    assert splitter.feed(b"") == []


def test_a_line_without_end_is_given_up() -> None:
    splitter = LineSplitter(limit=10)
    splitter.feed(b"1234567890")
    with pytest.raises(LineTooLongError):
        splitter.feed(b"1")
