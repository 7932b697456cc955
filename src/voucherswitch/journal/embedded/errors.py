"""The one error of this package, and how a program's output becomes its reason."""

import re
from typing import Final

_SEVERE: Final = re.compile(r"\b(?:FATAL|PANIC):\s+(.+)")


class EmbeddedPostgresError(Exception):
    """The embedded server cannot run. The text is one line: which directory, what is wrong, what to do."""

    __module__ = "voucherswitch.journal.embedded"  # where callers import it from, and the name cli/errors.py knows

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


def complaint(output: str) -> str:
    """The line that tells why a server program gave up."""
    severe = _SEVERE.findall(output)
    return severe[-1] if severe else last_line(output)


def last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
