"""`voucherswitch provider new`: the folder that a new provider starts from."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from voucherswitch.cli.errors import CommandError, usage_error

_PROVIDERS: Final = Path("src/voucherswitch/providers")
_FIRST_PORT: Final = 9_101


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(new)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="2 to 20 small letters and digits.", show_default=False)],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The checkout.  [default: the one that this directory is in]")
    ] = None,
) -> None:
    """Write the folder of a new provider: connector, simulator, kit and tests, working, with a list of what to replace.

    It speaks a small protocol of its own until its files are replaced by the provider's, one after the other. The
    conformance kit fails with the list of what is left, and passes when nothing is.

    \b
    Example:
      voucherswitch provider new acacia
      voucherswitch provider check acacia
    """
    from voucherswitch.providers.kit.scaffold import NAME, files

    if not NAME.fullmatch(name):
        usage_error(f"{name!r} is not 2 to 20 small letters and digits, a letter first")
    checkout = _checkout(root)
    if name in ("contract", "kit") or (checkout / _PROVIDERS / name).exists():
        raise CommandError(f"{_PROVIDERS / name} exists already; take another name")
    written = files(name, _free_port())
    if taken := [file.path for file in written if (checkout / file.path).exists()]:
        raise CommandError(f"{taken[0]} exists already; move it away")
    for file in written:
        target = checkout / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")
        print(file.path)
    print(f"\nWhat is left to write, in order: voucherswitch provider check {name}")


def _checkout(root: Path | None) -> Path:
    """Where the source is: an installed package is no place for a new provider."""
    here = Path.cwd()
    for folder in [root] if root is not None else [here, *here.parents]:
        if (folder / _PROVIDERS).is_dir():
            return folder
    raise CommandError(f"{root or here} is no checkout of voucherswitch: there is no {_PROVIDERS} in it; set --root")


def _free_port() -> int:
    """The port after the last simulator's."""
    from voucherswitch.providers import registry

    ports = [_FIRST_PORT - 1]
    for name in registry.names():
        with suppress(ImportError, AttributeError):  # another one that is still being written
            ports.append(registry.simulator_port(name))
    return max(ports) + 1
