"""How far a run is, on a line of the terminal."""

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Display(Protocol):
    """Where a run tells how far it is."""

    def say(self, doing: str) -> None: ...

    def tick(self) -> None: ...

    def finished(self, seconds: float) -> None: ...


class Bar:
    """The progress bar: seconds of load done, of those that the plan asks for."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._progress.add_task("starting", total=seconds)
        self._done_s = 0.0
        self._since: float | None = None

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, doing: str) -> None:
        """Tell what happens now."""
        self._since = None
        self._progress.update(self._task, description=doing)

    def tick(self) -> None:
        """Move on with the clock, inside the present round."""
        now = self._progress.get_time()
        self._since = self._since or now
        self._progress.update(self._task, completed=self._done_s + now - self._since)

    def finished(self, seconds: float) -> None:
        """Set the bar to what is really done."""
        self._done_s += seconds
        self._progress.update(self._task, completed=self._done_s)
