"""`voucherswitch bench`: the benchmark of a source tree. An installed switch has none, and says where it is."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import voucherswitch
from voucherswitch.cli.errors import CommandError

# It lies beside `src` and not in the package: it needs the libraries that the switch is compared with.
TREE: Final = Path(voucherswitch.__file__).resolve().parents[2]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(context_settings={"ignore_unknown_options": True})(bench)


def bench(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="OPTIONS", help="The benchmark's own options; -- --help lists them.")
    ] = None,
) -> None:
    """Measure this switch against a conventional stack, the bare database and a bare HTTP server.

    All on this machine, in turns, in one run of about four minutes; with a switch, a database and a provider of its
    own, so that no journal is touched. It needs a source tree: bench/README.md there says how to read the figures.

    \b
    Examples:
      voucherswitch bench                     everything once around, five times
      voucherswitch bench --quick             does it work here?
      voucherswitch bench --check             every target; code 1 when one is missed
      voucherswitch bench --matrix            scenarios, connections, slow providers
    """
    if not (TREE / "bench" / "two_commits.py").is_file():
        raise CommandError("the benchmark is not part of an installed package: run make bench in a source tree")
    path = os.pathsep.join(filter(None, (str(TREE), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "bench", *(arguments or [])]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | {"PYTHONPATH": path})  # noqa: S606 (our own interpreter)
