"""A process that serves imports what it needs and no more: every module costs each process time at each start."""

import subprocess
import sys
from collections.abc import Set
from typing import Final

import pytest

# What each process imports to serve: inside `imported_lean`, as its function in cli/serving.py does.
SERVING: Final = {
    "switch-worker": "from voucherswitch.interface.server import serve",
    "worker": "from voucherswitch.worker import work",
    "console": "from voucherswitch.console.app import serve_console",
    "simulators": "from voucherswitch.providers.simulators import serve_simulators",
}

# What only commands use: the command line and their modules, tables for people, migrations.
COMMANDS: Final = frozenset({"typer", "voucherswitch.cli.main", "voucherswitch.cli.till", "rich", "alembic"})
# What only other processes use: reports, pages, the protocols of single providers, test clients.
OTHERS: Final = frozenset({"sqlalchemy", "jinja2", "lxml", "zeep", "pyarrow", "duckdb", "voucherswitch.console"})
NEVER: Final[dict[str, Set[str]]] = {
    "switch-worker": COMMANDS | OTHERS,
    "worker": COMMANDS | OTHERS,
    "console": COMMANDS | {"lxml", "zeep", "pyarrow", "voucherswitch.interface.server", "voucherswitch.worker"},
    "simulators": COMMANDS | OTHERS | {"asyncpg", "voucherswitch.journal.journal"},
}


@pytest.mark.parametrize("process", SERVING)
def test_a_serving_process_imports_nothing_that_it_never_uses(process: str) -> None:
    found = _run(
        "from voucherswitch.cli import serving\n"
        f"with serving.imported_lean():\n    {SERVING[process]}; import voucherswitch.cli.supervisor\n"
        "import sys; print(*(name for name, module in sys.modules.items() if module is not None))"
    )
    loaded = set(found.split())
    assert "voucherswitch.cli.supervisor" in loaded
    assert sorted(loaded & NEVER[process]) == []


def test_what_was_left_out_can_be_imported_afterwards() -> None:
    found = _run(
        "import gc\n"
        "from voucherswitch.cli.lean import imported_lean\n"
        "with imported_lean():\n    import structlog; print(gc.isenabled())\n"
        "import rich.console; print(gc.isenabled())"
    )
    assert found.split() == ["False", "True"]


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
