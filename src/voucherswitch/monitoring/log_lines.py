"""Log lines for a person: what somebody else wrote cannot pose as a line of ours or command the terminal.

JSON escapes all of this by itself; a line for a terminal has to be made harmless. Nothing is taken out: what was there
is told by its number.
"""

from typing import Final

from structlog.typing import EventDict, WrappedLogger

# Texts of several lines. A line of a log begins with its time; these begin with a blank, whatever an exception says.
_BLOCKS: Final = frozenset({"exception", "stack"})


def harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write control and direction characters as their numbers, and indent tracebacks; the renderer comes next."""
    return {key: _block(value) if key in _BLOCKS else _line(value) for key, value in event.items()}


def _line(value: object) -> object:
    """Only texts: the renderer writes everything else as Python does, which escapes the same characters."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in value)


def _block(value: object) -> object:
    return "\n".join(f"  {_line(line)}" for line in value.splitlines()) if isinstance(value, str) else value
