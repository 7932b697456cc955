"""The processes of a test switch, one program each: `python -m support.child simulator|switch|supervisor|worker`.

They are told what to do by their environment, like the real ones, and are killed when the tests die.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

from voucherswitch.config.settings import Settings
from voucherswitch.monitoring.logs import configure
from voucherswitch.providers.contract.simulator.running import RunningSimulator

PARENT_PIPE = "TEST_PARENT_PIPE"
# More than any number of tests can spend.
FLOAT_CENTS = 10**15


def main(program: str) -> None:
    """Run one of them until it is told to stop. Each loads only what it is: they start together, on few cores."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if program == "simulator":
        from voucherswitch.providers.simulators import serve_simulators

        port = int(os.environ.get("SIMULATOR_PORT", "0"))
        profiles = {"sandbox": {"id_reuse": "rebind", "code_reuse": "rebind", "float_cents": FLOAT_CENTS}}
        asyncio.run(serve_simulators("127.0.0.1", {"sandbox": port}, profiles, _announce))
        return
    if program == "supervisor":
        from voucherswitch.cli.main import run

        sys.argv = ["voucherswitch", "switch"]
        run()
    settings = Settings()
    assert settings.database_url is not None
    configure(settings.log_level, settings.log_format)
    if program == "switch":
        from voucherswitch.interface.server import serve

        serve(settings, settings.database_url)
    else:
        from voucherswitch.worker import work

        asyncio.run(work(settings, settings.database_url))


def _die_with_parent() -> None:
    """Wait for the end of a pipe into which nobody writes: then the tests are gone, however they went."""
    with suppress(OSError):
        os.read(int(os.environ[PARENT_PIPE]), 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _announce(running: Mapping[str, RunningSimulator]) -> None:
    sandbox = running["sandbox"]
    print(json.dumps({"url": sandbox.url, "control_url": sandbox.control_url}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
