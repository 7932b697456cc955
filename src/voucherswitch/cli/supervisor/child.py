"""What the supervisor is told of a process that it shall run."""

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Child:
    """One process to run.

    Attributes:
        name: stands before each line of its output.
        argv: program and arguments.
        env: added to our environment.
        ready: when it is ready: an http URL that answers 2xx, a (host, port) that accepts connections, a function that
            says so, or None for at once.
        tells_ready: instead of `ready`: it says so itself, with `tell_ready`.
        listen: makes the sockets that each process of it inherits (`handed_listeners`), by name. A child with them can
            be replaced while it runs: its successor accepts from the same sockets before it is told to stop.
        ready_within_s: it fails when it is not ready this long after its start.
        start_order: it is started when every child of a lower number is ready; equal numbers start together.
        stop_order: it is told to stop when every child of a lower number is gone; equal numbers stop together.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: str | tuple[str, int] | Probe | None = None
    tells_ready: bool = False
    listen: Callable[[], Mapping[str, socket.socket]] | None = None
    ready_within_s: float = 30
    start_order: int = 0
    stop_order: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.ready, str) and urlsplit(self.ready).scheme != "http":
            raise ValueError(f"{self.name}: {self.ready!r} is not an http URL")

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it will listen, as far as `ready` tells."""
        if isinstance(self.ready, str):
            url = urlsplit(self.ready)
            return url.hostname or "", url.port or 80
        return self.ready if isinstance(self.ready, tuple) else None
