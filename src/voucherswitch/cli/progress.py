"""How far a long command has come: a bar on standard error, gone when it is over; nothing where nobody looks at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Say that so much more is done, and what is being done."""

    def __call__(self, done: int, what: str = "", /) -> None: ...


@contextmanager
def progress(total: int) -> Iterator[Advance]:
    """Show a bar while this lasts."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, what="": bar.update(task, advance=done, description=what)
