"""How a command says no: one line on standard error, what is wrong and what to do, and an exit code."""

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, Final, NoReturn

FAILED: Final = 1
NOT_FOUND: Final = 3  # the command worked; what it was asked for is not there

# Errors whose text is already the line that a person needs. By name, so that saying no imports nothing: whoever raised
# one of them has loaded its module, and everybody else is spared it.
_EXPECTED: Final = frozenset(
    {
        "voucherswitch.catalogue.store.CatalogueError",
        "voucherswitch.cli.errors.CommandError",
        "voucherswitch.config.reading.SettingsError",
        "voucherswitch.console.app.PortInUseError",
        "voucherswitch.interface.server.PortInUseError",
        "voucherswitch.journal.archive.files.ArchiveError",
        "voucherswitch.journal.database.DatabaseError",
        "voucherswitch.journal.embedded.EmbeddedPostgresError",
        "voucherswitch.journal.grants.RoleError",
        "voucherswitch.people.people.PeopleError",
        "voucherswitch.people.roles.RoleError",
        "voucherswitch.providers.contract.connector.ProviderSettingsError",
        "voucherswitch.security.dev_certificates.DevCertificateError",
        "voucherswitch.security.passwords.PasswordError",
        "voucherswitch.security.keys.VaultError",
    }
)
_LACKS_MIGRATIONS: Final = "the database lacks this release's migrations; run: voucherswitch db migrate"


WHY_NOT: Final = "somebody else must agree to this, and wants to know why: add --why TEXT"


class CommandError(Exception):
    """A command cannot do what it was asked. The text is one line: what is wrong, what to do."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        super().__init__(" ".join(text.split()))
        self.code = code


class Asked(Exception):  # noqa: N818 - it is how a command ends early, not that it went wrong
    """Somebody else must agree first, and was asked. The text is what the command says; `request` what was asked."""

    def __init__(self, text: str, request: object) -> None:
        super().__init__(text)
        self.request = request


def exit_code(work: Callable[[], Any], *, debug: bool) -> int:
    """Do what a process is there for; turn whatever it raises into one line and an exit code."""
    try:
        code = work()
    except BrokenPipeError:
        # Whoever read our output has gone (`voucherswitch product list | head`): nothing left to tell them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130
    except Asked as asked:
        print(asked)
        return 0
    except Exception as error:  # the last line of defence: everything becomes one line
        line = line_for(error)
        if debug and line is None:
            raise
        say(line or unexpected_line(error))
        return error.code if isinstance(error, CommandError) else FAILED
    return code if isinstance(code, int) else 0


def forgive_terminals() -> None:
    """Let a terminal without our arrows and boxes still get the words."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def line_for(error: BaseException) -> str | None:
    """The line for an error that operators may meet; None for one that only a fault of ours explains."""
    names = {_full_name(kind) for kind in type(error).__mro__}
    if names & _EXPECTED:
        return str(error)
    if names & {"asyncpg.exceptions.UndefinedTableError", "asyncpg.exceptions.UndefinedColumnError"}:
        return _LACKS_MIGRATIONS
    if any(name.startswith(("asyncpg.exceptions.PostgresConnection", "asyncpg.exceptions.Cannot")) for name in names):
        return f"the database went away: {_first_line(error)}; see that PostgreSQL runs, then try again"
    if "asyncpg.exceptions.PostgresError" in names or "asyncpg.exceptions._base.InterfaceError" in names:
        return f"the database refused: {_first_line(error)}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; correct that, then try again"
    return None


def unexpected_line(error: BaseException) -> str:
    """The line for every other error."""
    return f"unexpected error: {type(error).__name__}: {_first_line(error)}; run it again with --debug to see where"


def say(text: str) -> None:
    """Write a line for a person to standard error."""
    print(f"voucherswitch: {' '.join(text.split())}", file=sys.stderr, flush=True)


def usage_error(text: str) -> NoReturn:
    """Refuse options that do not go together."""
    import typer

    raise typer.BadParameter(text)


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else "no reason given"
