"""Processes as Linux shows them in /proc: whose child each is, what it was started as, its CPU and memory."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.measurement import Memory

PROC: Final = Path("/proc")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")

# Of the fields after the name, which ends at the last ")": proc(5) counts them from 3.
_PARENT: Final = 4 - 3
_USER: Final = 14 - 3
_SYSTEM: Final = 15 - 3
_RSS: Final = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)
_PSS: Final = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
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


def with_descendants(pid: int) -> list[int]:
    """Return a process and all below it."""
    return [pid, *descendants(pid)]


def memory_mib(pids: Iterable[int]) -> Memory:
    """Sum up the memory of processes; those that have ended have none."""
    found = [_memory_kib(pid) for pid in pids]
    shares = [pss for _, pss in found if pss is not None]
    return Memory(
        rss=round(sum(rss for rss, _ in found) / 1024, 1),
        pss=round(sum(shares) / 1024, 1) if len(shares) == len(found) else None,
    )


def _memory_kib(pid: int) -> tuple[int, int | None]:
    """RSS and PSS of one process. No PSS: it is another account's; its RSS is public."""
    try:
        resident = _RSS.search((PROC / str(pid) / "status").read_text(errors="replace"))
        share = _PSS.search((PROC / str(pid) / "smaps_rollup").read_text())
    except PermissionError:
        return (int(resident[1]) if resident else 0, None)
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return int(resident[1]) if resident else 0, int(share[1]) if share else 0


def postmaster_pid(data_dir: Path) -> int:
    """The process that all others of the embedded server descend from."""
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0])


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
