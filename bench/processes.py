"""Processes as Linux shows them in /proc: whose child each is, what it was started as, and the CPU it took."""

import os
from pathlib import Path
from typing import Final

from bench.errors import BenchError

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")

# Of the fields after the name, which ends at the last ")": proc(5) counts them from 3.
_PARENT: Final = 4 - 3
_USER: Final = 14 - 3
_SYSTEM: Final = 15 - 3
_ENDED: Final = slice(16 - 3, 18 - 3)  # children that have ended and were waited for: user, system


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process since its start in seconds: all its threads, user and system."""
    fields = _stat(pid)
    if fields is None:
        raise BenchError(f"process {pid}, whose CPU is measured, has ended")
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / TICKS_PER_S


def tree_cpu_s(pid: int) -> float:
    """Return the CPU time of a process and all below it, and that of its own children that have ended."""
    fields = _stat(pid)
    if fields is None:
        raise BenchError(f"process {pid}, whose CPU is measured, has ended")
    ticks = sum(int(ended) for ended in fields[_ENDED])
    for one in (fields, *(_stat(below) for below in descendants(pid))):
        if one is not None:
            ticks += int(one[_USER]) + int(one[_SYSTEM])
    return ticks / TICKS_PER_S


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        of_this = children.get(waiting.pop(), [])
        found += of_this
        waiting += of_this
    return found


def arguments_of(pid: int) -> list[str]:
    """Return the command line of a process; empty if it has ended."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode("utf-8", "replace").rstrip("\0").split("\0")


def _stat(pid: int) -> list[str] | None:
    """Return what /proc/<pid>/stat says after the process's name, which may hold anything, blanks and brackets too."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
