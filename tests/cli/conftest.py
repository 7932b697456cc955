"""Fixtures of the command line's tests."""

from collections.abc import Iterator

import pytest

from cli.cli_support import Terminal


@pytest.fixture(scope="session")
def terminal() -> Iterator[Terminal]:
    """Somebody who types commands."""
    typing = Terminal()
    yield typing
    typing.close()
