"""How the processes that serve are imported: without what they never use, and without looking for garbage meanwhile."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imported_lean() -> Iterator[None]:
    """Import a serving process inside this block, once, at its start.

    Imports make what stays, so looking for garbage among it is time lost. And structlog imports rich, with pygments,
    for tracebacks that our logs write in plain text (monitoring/logs.py): together a sixth of a worker's imports.
    """
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python says "not installed"
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if hidden:
            del sys.modules["rich"]
