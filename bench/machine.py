"""What it was measured on: without it, figures of two runs cannot be compared."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

PACKAGES: Final = (
    "voucherswitch",
    "uvicorn",
    "uvloop",
    "asyncpg",
    "pyreqwest",
    "starlette",
    "msgspec",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "httpx",
)
SYNCS: Final = 200
BUSY_LOAD: Final = 0.5  # processes that want a core while nothing of the benchmark runs yet


def describe(folder: Path) -> dict[str, object]:
    """Return the machine's facts; `folder` is where the database's files are."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": filesystem(folder),
        "fdatasync_us": fdatasync_us(folder),
        "load_average_before": round(os.getloadavg()[0], 2),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def warnings(facts: dict[str, object]) -> list[str]:
    """Return what makes the figures less worth, in sentences."""
    found = []
    if facts["filesystem"] == "tmpfs":
        found.append("the database is in memory (tmpfs): nothing is durable and commits cost nothing; use --folder")
    load = facts["load_average_before"]
    if isinstance(load, float) and load > BUSY_LOAD:
        found.append(f"the machine was busy before the first round (load average {load}): expect a wide spread")
    return found


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))


def filesystem(folder: Path) -> str:
    """Return the type of the file system that a folder is on."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, this_kind, *_ = line.split()
        if len(mount) > len(best) and folder.resolve().is_relative_to(mount):
            best, kind = mount, this_kind
    return kind


def fdatasync_us(folder: Path) -> int:
    """Return the median time of writing 8 kB durably: the price of a commit that shares nothing."""
    path = folder / "fdatasync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            started = perf_counter()
            file.seek(0)
            file.write(bytes(8192))
            os.fdatasync(file.fileno())
            times.append(perf_counter() - started)
    path.unlink()
    return round(median(times) * 1e6)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
