"""The processes that serve, each by its name: `python -m voucherswitch.cli.serving switch-worker`.

How `switch` and `up` start their children, and what the commands `worker`, `console` and `simulators` do. A child that
nobody types does without the command line: typer and the modules of all commands would be a fifth of what it imports.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from voucherswitch.cli.context import check_database, load_settings, running_database
from voucherswitch.cli.errors import CommandError, exit_code, forgive_terminals
from voucherswitch.cli.lean import imported_lean

if TYPE_CHECKING:
    from voucherswitch.config.settings import Settings

SANDBOX_FLOAT_CENTS: Final = 10**14  # a sandbox never runs dry by itself; its control API can empty it
SIMULATOR_PORT_BASE: Final = 9100  # what the simulators' own port numbers are counted from


def switch_worker() -> None:
    """One switch process."""
    with imported_lean():
        from voucherswitch.cli.supervisor import handed_listeners, tell_ready
        from voucherswitch.interface.server import serve

    settings = _start_process()
    serve(settings, running_database(settings), handed_listeners(), tell_ready)


def worker() -> None:
    """One worker: store-and-forward, and what else has to happen without anybody asking for it."""
    with imported_lean():
        import uvloop

        from voucherswitch.worker import work

    settings = _start_process()
    uvloop.run(work(settings, running_database(settings)))


def console() -> None:
    """The operators' pages."""
    with imported_lean():
        from voucherswitch.console.app import serve_console

    settings = _start_process()
    url = running_database(settings)
    asyncio.run(check_database(url))
    serve_console(settings, url)


def simulators(id_reuse: str, code_reuse: str) -> None:
    """All provider simulators; the arguments say what the sandbox's own one does with ids and codes that it knows."""
    with imported_lean():
        import uvloop

        from voucherswitch.memory import settle_memory
        from voucherswitch.providers.simulators import serve_simulators

    settings = _start_process()
    settings.require_sandbox("simulators")
    ports = simulator_ports(settings)
    profiles: dict[str, dict[str, object]] = {
        name: {"float_cents": SANDBOX_FLOAT_CENTS, "outbox_dir": settings.data_dir / "statements" / name}
        for name in ports
    }
    profiles["sandbox"] |= {"id_reuse": id_reuse, "code_reuse": code_reuse}
    serving = serve_simulators(settings.simulator_host, ports, profiles, lambda _: settle_memory())
    try:
        uvloop.run(_until_stopped(serving))
    except OSError as error:
        raise CommandError(f"simulators: {error}; stop what uses the port, or set {_variable()}") from None


def simulator_ports(settings: "Settings") -> dict[str, int]:
    """The port of each simulator."""
    from voucherswitch.providers import registry

    above = settings.simulator_port_base - SIMULATOR_PORT_BASE
    return {name: above + registry.simulator_port(name) for name in registry.names()}


PROCESSES: Final[dict[str, Callable[..., None]]] = {
    "switch-worker": switch_worker,
    "worker": worker,
    "console": console,
    "simulators": simulators,
}


def serving_command(name: str, *arguments: str) -> list[str]:
    """The command line of one of `PROCESSES`."""
    assert name in PROCESSES
    return [sys.executable, "-m", "voucherswitch.cli.serving", name, *arguments]


def _start_process() -> "Settings":
    from voucherswitch.cli.supervisor import watch_parent
    from voucherswitch.monitoring.logs import configure

    watch_parent()
    settings = load_settings()
    configure(settings.log_level, settings.log_format)
    return settings


async def _until_stopped(serving: Coroutine[Any, Any, None]) -> None:
    """Run a server that knows no signals until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = asyncio.create_task(serving)
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({server, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if server.done():
        server.result()
    server.cancel()
    await asyncio.gather(server, stop, return_exceptions=True)


def _variable() -> str:
    from voucherswitch.config.settings import env_name

    return env_name("simulator_port_base")


def main() -> None:
    """Be the process that the command line names."""
    forgive_terminals()
    name, *arguments = sys.argv[1:]
    sys.exit(exit_code(partial(PROCESSES[name], *arguments), debug=False))


if __name__ == "__main__":
    main()
