"""A real PostgreSQL for the tests of this folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from voucherswitch.journal.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="vsw-") as directory:
        Path(directory).chmod(0o711)  # the server's own account must reach it when tests run as root
        with EmbeddedPostgres(Path(directory) / "data") as server:
            yield server.url
