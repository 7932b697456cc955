"""Where reports are kept."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

RESULTS: Final = Path(__file__).resolve().parent / "results"


def write(report: Struct, folder: Path, prefix: str = "") -> Path:
    """Write a report under the present UTC time."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{prefix}{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_bytes(encoded(report))
    return path


def encoded(report: Struct) -> bytes:
    """Return a report as JSON for people and programs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
