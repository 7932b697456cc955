"""What somebody else wrote cannot pose as a line of the log, in either format."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog

from voucherswitch.monitoring.logs import configure

FORGED = "x\n2026-11-23T10:00:00Z [error    ] FORGED"
HOSTILE = [
    FORGED,
    "x\r\n" + '{"event": "FORGED", "level": "error"}',
    "\x1b[2J\x1b]0;FORGED\x07",
    "\u202egnp.FORGED",
    "x\u2028FORGED",
    "x\x85FORGED",
    "x\x0bFORGED\x0c",
    "a\0FORGED",
]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """Says hostile things in every place of a log in a format, and returns the lines."""
    before = structlog.get_config()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def logged(log_format: str) -> list[str]:
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        configure("info", "json" if log_format == "json" else "console")
        log, library = structlog.get_logger("ours"), logging.getLogger("a.library")
        for text in HOSTILE:
            log.info("fine", user=text, inside={"deep": [text]})
            log.info(text)
            library.warning("from a library: %s", text)
            try:
                raise ValueError(text)
            except ValueError:
                log.exception("failed")
        return written.getvalue().split("\n")[:-1]

    yield logged
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_no_line_for_a_person_begins_with_what_somebody_else_wrote(lines: Callable[[str], list[str]]) -> None:
    told = lines("console")

    beginnings = {line.partition(" ")[0][:2] for line in told}
    assert beginnings == {"20", ""}, "a time, or the indent of a traceback"
    assert [line for line in told if line.startswith("2026-11-23T10:00:00Z")] == []
    assert [line for line in told if not line.isprintable()] == []
    assert sum("FORGED" in line for line in told) >= 4 * len(HOSTILE), "nothing is left out either"


def test_every_line_for_a_log_store_is_one_object_of_ours(lines: Callable[[str], list[str]]) -> None:
    told = [json.loads(line) for line in lines("json")]

    assert len(told) == 4 * len(HOSTILE)
    assert {one["logger"] for one in told} == {"ours", "a.library"}
    assert all(one["timestamp"] and one["event"] != "FORGED" for one in told)
