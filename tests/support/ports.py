"""Ports for a whole sandbox (`voucherswitch up`): interface, the same over TLS, console, and two for each simulator."""

import os
import random
import re
import socket
from dataclasses import dataclass
from typing import Final

_BLOCK: Final = 128  # ports of one sandbox, 100 of them between a simulator's port and its control port
_FIRST: Final = 20_000  # below what the kernel gives to clients, which would take a port between the look and the start
_OF_A_WORKER: Final = 4_992  # so that tests that run at once never look at the same ports
_TLS: Final = 40  # above the first
_SIMULATORS: Final = range(1, 19)  # above their base; the last is that of a provider with two protocols
_CONTROLS: Final = range(101, 112)


@dataclass(frozen=True)
class SandboxPorts:
    """Free when they were looked at."""

    interface: int
    tls: int
    console: int
    simulator_base: int


def sandbox_ports() -> SandboxPorts:
    """Ports that nobody uses and no other test is given."""
    worker = int((re.search(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", "")) or ["0"])[0]) % 2
    first = _FIRST + worker * _OF_A_WORKER
    for _ in range(200):
        block = random.randrange(first, first + _OF_A_WORKER, _BLOCK)
        ports = SandboxPorts(block, block + _TLS, block + 1, block + 2)
        needed = (block, block + 1, ports.tls, *(ports.simulator_base + above for above in (*_SIMULATORS, *_CONTROLS)))
        if all(_is_free(port) for port in needed):
            return ports
    raise AssertionError("no free ports")


def free_port() -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
