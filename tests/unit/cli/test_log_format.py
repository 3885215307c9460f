"""The operator's log."""

import logging
import sys

import pytest

from podwright.cli.log_format import LogFormatter, log_to_stderr


def written(message: str, *args: str, **changes: object) -> str:
    """Format a record."""
    known = {"name": "tenant", "levelname": "ERROR", "levelno": logging.ERROR, "msg": message, "args": args}
    return LogFormatter().format(logging.makeLogRecord({**known, **changes}))


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("plain", "plain", id="L13 plain"),
        pytest.param("größe 日本", "größe 日本", id="L13 other scripts"),
        pytest.param("a\x1b[31mb\x07\x00", "ab", id="L13 control"),
        pytest.param("a\u202eb\u2066c\u200f", "abc", id="L13 bidi"),
        pytest.param("a\u200bb\ufeffc\u2060", "abc", id="L13 zero width"),
        pytest.param("a\n2026-11-28 ERROR forged", "a\\n2026-11-28 ERROR forged", id="L13 a line of its own"),
        pytest.param("a\r\u2028\x85b", "ab", id="L13 other line ends"),
        pytest.param("a\udcffb", "ab", id="L13 a lone surrogate"),
    ],
)
def test_l13_what_tenants_write_steers_no_terminal(name: str, want: str) -> None:
    (line,) = written("job %s failed", name).splitlines()
    assert line.endswith(f" ERROR tenant: job {want} failed")


def test_l13_tracebacks_keep_their_lines_and_make_no_others() -> None:
    try:
        raise ValueError("bad\u202e name\n2026-11-28 00:00:00 ERROR forged: all is lost\x1b[2J")
    except ValueError:
        text = written("failed", exc_info=sys.exc_info(), stack_info="Stack:\n  x\u200by")
    first, *others = text.splitlines()
    assert first.endswith(" ERROR tenant: failed")
    assert len(others) > 3
    assert all(line.startswith("    ") for line in others)
    assert "    ValueError: bad name" in others
    assert others[-2:] == ["    Stack:", "      xy"]
    assert "    2026-11-28 00:00:00 ERROR forged: all is lost" in others


def test_l13_all_loggers_are_written_so(monkeypatch: pytest.MonkeyPatch) -> None:
    kopf = logging.getLogger("kopf")
    levels = logging.root.level, kopf.level
    monkeypatch.setattr(logging.root, "handlers", [])
    try:
        log_to_stderr(level=logging.INFO)
        (handler,) = logging.root.handlers
        assert isinstance(handler.formatter, LogFormatter)
        assert (logging.root.level, kopf.level) == (logging.INFO, logging.ERROR)
    finally:
        logging.root.setLevel(levels[0])
        kopf.setLevel(levels[1])
