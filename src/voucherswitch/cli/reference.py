"""The published reference of every command, made from the commands' own help.

Write it with: python -m voucherswitch.cli.reference > docs/reference/cli.md
"""

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import typer

from voucherswitch.cli.main import app

_COLUMNS: Final = "100"
_HEAD: Final = """\
# Commands

Made from the commands' own help by `python -m voucherswitch.cli.reference`; change it there.

Results go to standard output, everything else to standard error. Every error is one line that says what is wrong and
what to do. `--json` prints JSON, for scripts. `python -m voucherswitch` is the same as `voucherswitch`.

| Exit code | Meaning |
|---|---|
| 0 | done |
| 1 | failed, declined, or not to be had: the line on standard error says which |
| 2 | wrong use of the command |
| 3 | it worked, and what was asked for is not there |
| 130 | interrupted |
"""


def render() -> str:
    """The reference page, Markdown."""
    root: Any = typer.main.get_command(app)
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _COLUMNS  # the same page whatever the terminal
    try:
        pages = [f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in _helps(root, "voucherswitch", None)]
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return "\n".join((_HEAD, *pages))


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    """The help of a command and of those below it, each with the words that are typed for it."""
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        lines = str(command.get_help(context)).splitlines()
        yield context.command_path, "\n".join(line.rstrip() for line in lines)
        for below, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                yield from _helps(inner, below, context)


if __name__ == "__main__":
    sys.stdout.write(render())
