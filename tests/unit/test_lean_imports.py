"""A process that serves imports what it needs and no more: every module costs each worker time at each start."""

import subprocess
import sys

import pytest

SWITCH = "from voucherswitch.cli.supervisor import handed_listeners; from voucherswitch.interface.server import serve"
WORKER = "from voucherswitch.worker import work"

# What only other processes use: migrations and reports, pages, tables for people, the protocols of single providers.
NEVER = ("alembic", "sqlalchemy", "jinja2", "rich", "pygments", "lxml", "zeep", "pyarrow", "voucherswitch.console")


@pytest.mark.parametrize("imports", [SWITCH, WORKER], ids=["switch-worker", "worker"])
def test_a_serving_process_imports_nothing_that_it_never_uses(imports: str) -> None:
    found = _run(
        "import voucherswitch.cli.main\n"
        "from voucherswitch.cli.lean import imported_lean\n"
        f"with imported_lean():\n    {imports}\n"
        "import sys; print(*(name for name, module in sys.modules.items() if module is not None))"
    )
    loaded = set(found.split())
    assert "voucherswitch.journal.journal" in loaded
    assert sorted(loaded & set(NEVER)) == []


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
