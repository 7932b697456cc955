"""The command line itself: help that teaches, one line for wrong use, global options wherever they stand."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.main import app, guarded, hoisted

ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that name it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def typed(*arguments: str) -> int:
    """Type a command in this process."""
    return guarded(lambda: app(list(arguments), standalone_mode=False, prog_name="voucherswitch"), debug=False)


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(*path, "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: voucherswitch {' '.join(path)}")
    first = shown.split("\n\n")[1].split("\n\n")[0].strip()
    assert first.endswith((".", ":")), "its first paragraph is a sentence"


def test_commands_that_take_arguments_show_examples() -> None:
    """Options that go together are learned from an example, not from a list."""
    lacking = [
        " ".join(path)
        for path, command in commands()
        if len(command.params) > 2 and f"voucherswitch {' '.join(path)}" not in (command.help or "")
    ]
    assert lacking == []


def test_every_option_and_argument_has_a_meaning() -> None:
    silent = [
        f"{' '.join(path)} {param.opts[0]}"
        for path, command in commands()
        for param in command.params
        if not param.help
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("selll",), "voucherswitch: No such command 'selll'. Did you mean 'sell'?; see: voucherswitch --help"),
        (("sell",), "voucherswitch: name a --product, or a --receiver; see: voucherswitch sell --help"),
        (("sell", "--product", "A", "--amount", "1.5"), "'1.5' is not an amount in rand"),
        (("lookup",), "name one voucher"),
        (("lookup", "1", "--serial", "2"), "name one voucher"),
        (("saf", "resend"), "name ADVICE_IDs, or --provider ID --parked"),
        (("saf", "resend", "--provider", "x"), "name ADVICE_IDs, or --provider ID --parked"),
        (("saf", "show", "x"), "'ADVICE_ID'"),
        (("originator", "set", "1"), "nothing to change"),
        (("originator", "set", "1", "--receiver", "2", "--all-receivers"), "exclude each other"),
        (("provider", "set", "x", "nothing"), "'nothing' is not KEY=VALUE"),
        (("route", "add", "--provider", "x", "--provider-product", "y"), "name a --product, or a --receiver"),
        (("up", "--workers", "many"), "--workers"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert line in shown.err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert typed() == 2
    assert "Commands:" in capsys.readouterr().out


def test_global_options_may_stand_anywhere() -> None:
    assert hoisted(["up", "--workers", "1", "--data-dir", "x", "--debug"]) == [
        "--data-dir",
        "x",
        "--debug",
        "up",
        "--workers",
        "1",
    ]
    assert hoisted(["sell", "--config=a.toml", "--product", "P"]) == ["--config=a.toml", "sell", "--product", "P"]
    assert hoisted(["lookup", "--", "--data-dir"]) == ["lookup", "--", "--data-dir"]
    assert hoisted(["up", "--data-dir"]) == ["--data-dir", "up"]


def test_an_expected_error_is_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise CommandError("there is none:\n   make one", 3)

    assert guarded(refuse, debug=False) == 3
    assert capsys.readouterr().err == "voucherswitch: there is none: make one\n"


def test_an_unexpected_error_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("division by zero\nsecond line")

    assert guarded(fail, debug=False) == 1
    assert capsys.readouterr().err == (
        "voucherswitch: unexpected error: ZeroDivisionError: division by zero; run it again with --debug to see where\n"
    )


def test_debug_shows_where_an_unexpected_error_came_from() -> None:
    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError):
        guarded(fail, debug=True)
