"""The four processes of production, each alone: `switch`, `worker`, `console`, `simulators`.

They expect a database that is there and up to date; SIGTERM drains them. `switch-worker` is one process of `switch`.
"""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from voucherswitch.cli.context import connect, load_settings, running_database
from voucherswitch.cli.errors import CommandError, say
from voucherswitch.cli.lean import imported_lean

if TYPE_CHECKING:
    from voucherswitch.cli.supervisor import Child
    from voucherswitch.config.settings import Settings

SANDBOX_FLOAT_CENTS: Final = 10**14  # a sandbox never runs dry by itself; its control API can empty it
SIMULATOR_PORT_BASE: Final = 9100  # what the simulators' own port numbers are counted from

# What a process may still write once its requests are done.
AFTER_DRAIN_S: Final = 5

Workers = Annotated[
    int | None, typer.Option(help="Switch processes that share the interface's port.  [default: one per core]")
]
IdReuse = Literal["replay", "rebind"]
CodeReuse = Literal["strict", "rebind"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(switch)
    app.command(hidden=True, name="switch-worker")(switch_worker)
    app.command()(worker)
    app.command()(console)
    app.command()(simulators)


def switch(workers: Workers = None) -> None:
    """Serve originators: the interface, a process per core.

    The database is the one of DATABASE_URL, or the one that `voucherswitch up` runs in the data directory. It must have
    this release's migrations. SIGTERM lets requests in work end, for `drain_s` at most. SIGHUP restarts the processes
    one after the other while they serve, with the program and the settings file as they are then; in a terminal, where
    it means that the terminal is gone, it stops.

    \b
    Example:
      DATABASE_URL=postgresql://switch@db/voucherswitch voucherswitch switch --workers 4
    """
    from voucherswitch.cli.supervisor import Supervisor

    settings = load_settings(workers=workers)
    url = running_database(settings)
    check_usable(settings, url)
    with reserved_interface(settings):
        children = switch_children(settings, url)
        supervisor = Supervisor(
            children,
            drain_s=settings.drain_s + AFTER_DRAIN_S,
            prefix=settings.log_format == "console",
            renew_on_hangup=sys.stdin is None or not sys.stdin.isatty(),
            on_ready=lambda: say(
                f"interface ready: {' and '.join(interface_urls(settings))} ({len(children)} processes)"
            ),
        )
        code = asyncio.run(supervisor.run())
    raise typer.Exit(code)


def switch_worker() -> None:
    """One switch process; `switch` and `up` start it."""
    with imported_lean():
        from voucherswitch.cli.supervisor import handed_listeners, tell_ready
        from voucherswitch.interface.server import serve

    settings = _start_process()
    serve(settings, running_database(settings), handed_listeners(), tell_ready)


def worker() -> None:
    """Deliver advices: store-and-forward. Several may run.

    They share the work. SIGTERM lets deliveries under way end, for `drain_s` at most, and gives the lanes back.
    """
    with imported_lean():
        import uvloop

        from voucherswitch.worker import work

    settings = _start_process()
    uvloop.run(work(settings, running_database(settings)))


def console() -> None:
    """Serve the operators' web console."""
    from voucherswitch.console.app import serve_console

    settings = _start_process()
    url = running_database(settings)
    asyncio.run(check_database(url))
    serve_console(settings, url)


def simulators(
    id_reuse: Annotated[
        IdReuse, typer.Option(help="A known request id: `replay` answers as before, `rebind` takes it as new.")
    ] = "rebind",
    code_reuse: Annotated[
        CodeReuse, typer.Option(help="A voucher code in use: `strict` refuses it, `rebind` gives it away again.")
    ] = "rebind",
) -> None:
    """Run the provider simulators. For sandboxes only.

    Each has a port of its own, from `simulator_port_base` up, and its control port 100 above. The defaults are
    those that certification of an originator needs.

    \b
    Example:
      voucherswitch simulators --id-reuse replay --code-reuse strict
    """
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


def switch_children(settings: "Settings", url: str) -> "list[Child]":
    """The switch's processes as children of a supervisor."""
    from voucherswitch.cli.supervisor import Child
    from voucherswitch.interface.server import listening_sockets

    return [
        Child(
            name=f"switch-{number}",
            argv=own_command("switch-worker"),
            env=child_env(settings, url),
            tells_ready=True,
            listen=partial(listening_sockets, settings),
        )
        for number in range(1, settings.workers + 1)
    ]


def own_command(*arguments: str) -> list[str]:
    """The command line of a process of ours."""
    return [sys.executable, "-m", "voucherswitch", *arguments]


# Over our environment, for processes that seal and open nothing; an empty value is none.
WITHOUT_KEYS: Final = {"VOUCHERSWITCH_VAULT_KEYS": ""}


def child_env(settings: "Settings", url: str) -> dict[str, str]:
    """What a child must know beyond our environment: the database, and the arguments that we were given."""
    tls = {
        "TLS_CERTIFICATE_FILE": settings.tls_certificate_file,
        "TLS_KEY_FILE": settings.tls_key_file,
        "TLS_CLIENT_CERTIFICATES": settings.tls_client_certificates,
        "TLS_CLIENT_CA_FILE": settings.tls_client_ca_file,
        "TLS_CLIENT_REVOCATIONS_FILE": settings.tls_client_revocations_file,
    }
    return {
        "DATABASE_URL": url,
        "VOUCHERSWITCH_DATA_DIR": str(settings.data_dir),
        "VOUCHERSWITCH_WORKERS": str(settings.workers),
        **{f"VOUCHERSWITCH_{name}": str(value) for name, value in tls.items() if value is not None},
    }


def interface_urls(settings: "Settings") -> list[str]:
    """Where originators reach this machine's interface: the one over TLS last, if there is one."""
    urls = [f"http://{_in_url(settings.interface_host)}:{settings.interface_port}"]
    if settings.tls_certificate_file is not None:
        urls.append(f"https://{_in_url(settings.tls_host)}:{settings.tls_port}")
    return urls


def console_url(settings: "Settings") -> str:
    """Where operators reach this machine's console."""
    scheme = "http" if settings.console_client_ca_file is None else "https"
    return f"{scheme}://{_in_url(settings.console_host)}:{settings.console_port}"


def check_usable(settings: "Settings", url: str) -> None:
    """See that database, vault and certificates can be used, before children fail over them.

    Raises:
        DatabaseError, SettingsError, VaultError: one line that says what cannot be used.
    """
    from voucherswitch.process import open_vault
    from voucherswitch.security.tls import originators, read_tls

    if settings.tls_certificate_file is not None:
        read_tls(settings, originators(settings))

    async def check() -> None:
        await check_database(url)
        connection = await connect(url)
        try:
            await open_vault(settings, connection)
        finally:
            await connection.close()

    asyncio.run(check())


async def check_database(url: str) -> None:
    """See that the database answers and has our migrations.

    Raises:
        DatabaseError: one line that says what is wrong.
    """
    from voucherswitch.journal.database import DatabaseError
    from voucherswitch.journal.migrate import pending

    connection = await connect(url)
    await connection.close()
    if await pending(url):
        raise DatabaseError("the database lacks this release's migrations; run: voucherswitch db migrate")


@contextmanager
def reserved_interface(settings: "Settings") -> Iterator[None]:
    """Hold the interface's ports for our processes.

    Raises:
        PortInUseError: somebody else has one of them.
    """
    from voucherswitch.config.settings import env_name
    from voucherswitch.interface.server import PLAIN, addresses, reserve_port

    with ExitStack() as stack:
        for name, (host, port) in addresses(settings).items():
            setting = "interface_port" if name == PLAIN else "tls_port"
            stack.enter_context(reserve_port(host, port, env_name(setting)))
        yield


def check_free(host: str, port: int, setting: str) -> None:
    """See that a port is free.

    Raises:
        PortInUseError: it is not.
    """
    from voucherswitch.config.settings import env_name
    from voucherswitch.interface.server import reserve_port

    reserve_port(host, port, env_name(setting)).close()


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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _variable() -> str:
    from voucherswitch.config.settings import env_name

    return env_name("simulator_port_base")
