"""Types commands for the tests: one process that has loaded our modules forks itself for each command.

What runs is `voucherswitch.cli.main.run` in a process, a folder and an environment of its own, without the second that
loading takes. One JSON object a line on standard input (argv, cwd, env, stdin, out, err: the last three are files), the
exit code on standard output.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

LOADED = (
    "asyncpg",
    "rich.panel",
    "rich.progress",
    "rich.table",
    "voucherswitch.catalogue.sandbox",
    "voucherswitch.cli.explain_words",
    "voucherswitch.cli.main",
    "voucherswitch.cli.product_file",
    "voucherswitch.cli.supervisor",
    "voucherswitch.config.settings",
    "voucherswitch.console.app",
    "voucherswitch.interface.server",
    "voucherswitch.journal.embedded",
    "voucherswitch.journal.migrate",
    "voucherswitch.journal.reports",
    "voucherswitch.providers.pool",
    "voucherswitch.providers.sandbox.simulator",
    "voucherswitch.providers.simulators",
    "voucherswitch.switch.routing",
    "voucherswitch.worker",
)
COMMAND_S_MAX = 60


def main() -> None:
    """Type one command after the other until standard input ends."""
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _type(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _type(order: dict[str, object]) -> None:
    """Become the command; never returns."""
    signal.alarm(COMMAND_S_MAX)
    os.setsid()
    for number, (name, flags) in enumerate(
        (("stdin", os.O_RDONLY), ("out", os.O_WRONLY | os.O_CREAT), ("err", os.O_WRONLY | os.O_CREAT))
    ):
        os.dup2(os.open(Path(str(order[name])), flags), number)
    os.chdir(str(order["cwd"]))
    os.environ.clear()
    os.environ.update(dict(order["env"]))  # type: ignore[call-overload]  # our own JSON
    sys.argv = ["voucherswitch", *list(order["argv"])]  # type: ignore[call-overload]  # our own JSON
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it ends with the process
    from voucherswitch.cli.main import run

    code = 1
    try:
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
