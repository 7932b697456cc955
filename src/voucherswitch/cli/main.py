"""`voucherswitch`: the root of the command line. Every error leaves as one line and an exit code.

Exit codes: 0 done or asked for, 1 failed, 2 wrong use, 3 not found, 130 interrupted. Modules of commands import what is
heavy inside their functions, so that `--help` answers at once.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from voucherswitch.cli import (
    approval,
    archive,
    audit,
    bench,
    certs,
    db,
    explain,
    originator,
    processes,
    product,
    provider,
    receiver,
    resolve,
    role,
    route,
    saf,
    sandbox,
    till,
    token,
    user,
    vault,
    verify,
)
from voucherswitch.cli.errors import FAILED, exit_code, forgive_terminals, say
from voucherswitch.cli.torture import command as torture

# Long option -> whether a value follows. They may stand anywhere: `voucherswitch up --data-dir x` is what people type.
_GLOBAL: Final = {"--data-dir": True, "--config": True, "--debug": False}


class _Root(TyperGroup):
    """The root group; takes the global options wherever they stand."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's own context class is private
        return super().parse_args(ctx, hoisted(args))


def hoisted(args: list[str]) -> list[str]:
    """Arguments with the global options first; what follows `--` is left alone."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(args)
    for word in waiting:
        if word == "--":
            rest.extend((word, *waiting))
            break
        name, equals, _ = word.partition("=")
        if name not in _GLOBAL:
            rest.append(word)
            continue
        front.append(word)
        if _GLOBAL[name] and not equals:
            front.extend(value for value in (next(waiting, None),) if value is not None)
    return front + rest


app = typer.Typer(
    cls=_Root,
    rich_markup_mode=None,  # rich's help takes three times as long to come up
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
)


def _show_version(asked: bool) -> None:
    if asked:
        from voucherswitch import __version__

        print(f"voucherswitch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Directory of the embedded database, the vault key and the logs.  [default: .voucherswitch]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file.  [default: voucherswitch.toml, if there is one]")
    ] = None,
    debug: Annotated[  # noqa: ARG001 (read by `run`, before there is a command)
        bool, typer.Option("--debug", help="Show where an unexpected error came from.")
    ] = False,
    version: Annotated[  # noqa: ARG001 (its callback acts)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A switch for digital vouchers.

    The options below may stand anywhere on the line. Other settings come from the environment or from the settings
    file. Exit codes: 0 done, or asked for where somebody else must agree; 1 failed, 2 wrong use, 3 not found.

    \b
    Examples:
      voucherswitch up                                       the whole sandbox on this machine
      voucherswitch sell --product MOBIANY --amount 100      sell a voucher of R100.00 from a second terminal
      voucherswitch explain VSW-000000000001                 what happened to it, in words
    """
    # The environment is where settings are read from, here and in the processes that we start.
    if data_dir is not None:
        os.environ["VOUCHERSWITCH_DATA_DIR"] = str(data_dir.expanduser().absolute())
    if config is not None:
        os.environ["VOUCHERSWITCH_CONFIG"] = str(config.expanduser().absolute())


sandbox.register(app)
processes.register(app)
till.register(app)
explain.register(app)
resolve.register(app)
verify.register(app)
torture.register(app)
bench.register(app)
_GROUPS: Final = (
    originator, product, route, receiver, provider, saf, user, role, approval, audit, db, archive, certs, vault, token,
)  # fmt: skip
for group in _GROUPS:
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])


def run() -> None:
    """The `voucherswitch` script."""
    forgive_terminals()
    debug = "--debug" in sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]
    sys.exit(guarded(lambda: app(standalone_mode=False, prog_name="voucherswitch"), debug=debug))


def guarded(work: Callable[[], Any], *, debug: bool) -> int:
    """Run a command; turn whatever it raises into one line and an exit code."""

    def typed() -> Any:
        try:
            return work()
        except typer.Abort:
            say("cancelled")
            return FAILED
        except typer.TyperException as error:
            return _wrong_use(error)

    return exit_code(typed, debug=debug)


def _wrong_use(error: typer.TyperException) -> int:
    """One line for a command that was typed wrong; help where there was nothing to go by."""
    context = getattr(error, "ctx", None)
    text = error.format_message().removeprefix("Invalid value: ")  # of a command, where no single value is at fault
    if type(error).__name__ == "NoArgsIsHelpError":
        print(text)
        return 2
    path = context.command_path if context is not None else "voucherswitch"
    say(f"{text.rstrip('.')}; see: {path} --help")
    return error.exit_code
