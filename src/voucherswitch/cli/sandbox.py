"""`voucherswitch up`: the whole switch on one machine, with simulated providers and something to sell.

Starts the embedded database, brings it up to date, loads the sandbox, then lets the supervisor run the processes. What
it started last it stops first; the database is stopped last of all.
"""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from voucherswitch.cli import processes, serving
from voucherswitch.cli.context import (
    COMMAND,
    UP,
    UP_ELSEWHERE,
    connect,
    directory_lock,
    load_settings,
    make_data_dir,
)
from voucherswitch.cli.db import migrated
from voucherswitch.cli.errors import CommandError
from voucherswitch.cli.processes import Workers
from voucherswitch.cli.sandbox_data import Till, load

if TYPE_CHECKING:
    from voucherswitch.cli.supervisor import Child
    from voucherswitch.config.settings import Settings
    from voucherswitch.journal.embedded import EmbeddedPostgres

# A command that has the embedded server for its own duration is done after this.
_COMMANDS_S_MAX: Final = 60
_POLL_S: Final = 0.05
DATABASE_WATCH_S: Final = 1.0

CERTIFICATES: Final = "certs"

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(up)


def up(
    password: Annotated[
        str | None,
        typer.Option(help="Set the sandbox originator's password.  [default: generated at the first start]"),
    ] = None,
    workers: Workers = None,
    with_simulators: Annotated[
        bool, typer.Option("--simulators/--no-simulators", help="Run the provider simulators too.")
    ] = True,
) -> None:
    """Run the whole sandbox on this machine; Ctrl-C stops it.

    Database, provider simulators, switch, worker, console. Without DATABASE_URL it runs a PostgreSQL of its own in
    the data directory. The first start makes originator 22222222, a catalogue, and a password that it shows once;
    `till.json` in the data directory keeps it for the till's commands.

    \b
    Examples:
      voucherswitch up
      voucherswitch up --data-dir /var/tmp/sandbox --workers 1
      voucherswitch up --password correct-horse-battery
    """
    settings = load_settings(workers=workers)
    settings.require_sandbox("simulators")
    make_data_dir(settings.data_dir)
    settings = _with_certificates(settings, workers)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    with ExitStack() as stack:
        stack.enter_context(_alone(settings))
        stack.enter_context(_ports(settings, with_simulators=with_simulators))
        print(f"Starting in {settings.data_dir}. The first start makes a database, which takes longest.", flush=True)
        url, server = stack.enter_context(_database(settings))
        till = asyncio.run(_prepare(settings, url, password))
        code = asyncio.run(_supervise(settings, url, server, till, with_simulators=with_simulators))
        # Whoever asked once more while the processes drained must not interrupt the database writing itself to disk.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    raise typer.Exit(code)


def _with_certificates(settings: "Settings", workers: int | None) -> "Settings":
    """Serve TLS with development certificates, and take those of clients, unless others are set."""
    from voucherswitch.security.dev_certificates import DevCertificates
    from voucherswitch.security.tls import originators, read_tls

    if settings.tls_certificate_file is None:
        made = DevCertificates(settings.data_dir / CERTIFICATES)
        made.ensure_authority()
        made.ensure_server()
        certificate, key = made.server
        ours: dict[str, object] = {"tls_certificate_file": certificate, "tls_key_file": key}
        if settings.tls_client_certificates == "off":
            ours |= {
                "tls_client_certificates": "optional",
                "tls_client_ca_file": made.authority,
                "tls_client_revocations_file": made.revocations,
            }
        settings = load_settings(workers=workers, **ours)
    read_tls(settings, originators(settings))  # says now what the processes would fail over
    return settings


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """Before the supervisor takes the signals over: leave in order, like Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def _alone(settings: "Settings") -> Iterator[None]:
    """Hold the data directory, once no command uses it.

    Raises:
        CommandError: another `up` runs on it.
    """
    deadline = time.monotonic() + _COMMANDS_S_MAX
    name = UP if settings.database_url is None else UP_ELSEWHERE
    while True:
        with directory_lock(settings.data_dir, name) as holder:
            if holder is None:
                yield
                return
        if holder != COMMAND or time.monotonic() > deadline:
            raise CommandError(
                f"{holder} already runs on {settings.data_dir}: stop that one, or name another --data-dir"
            )
        time.sleep(_POLL_S)


@contextmanager
def _ports(settings: "Settings", *, with_simulators: bool) -> Iterator[None]:
    """See that every port is free before anything starts, and hold the interface's.

    Raises:
        PortInUseError: one is taken.
    """
    from voucherswitch.providers.contract.simulator.running import CONTROL_PORT_ABOVE

    processes.check_free(settings.console_host, settings.console_port, "console_port")
    if with_simulators:
        for port in serving.simulator_ports(settings).values():
            processes.check_free(settings.simulator_host, port, "simulator_port_base")
            processes.check_free(settings.simulator_host, port + CONTROL_PORT_ABOVE, "simulator_port_base")
    with processes.reserved_interface(settings):
        yield


@contextmanager
def _database(settings: "Settings") -> "Iterator[tuple[str, EmbeddedPostgres | None]]":
    """The database: ours as long as this lasts, or the one that DATABASE_URL names."""
    if settings.database_url is not None:
        yield settings.database_url, None
        return
    from voucherswitch.journal.embedded import EmbeddedPostgres

    with EmbeddedPostgres(settings.data_dir) as server:
        yield server.url, server


async def _keep_running(server: "EmbeddedPostgres") -> None:
    """Start the embedded server again when it has ended by itself: killed, out of memory, a full disk."""
    from voucherswitch.journal.embedded import EmbeddedPostgresError

    while True:
        await asyncio.sleep(DATABASE_WATCH_S)
        if await asyncio.to_thread(lambda: server.running):
            continue
        print("voucherswitch: the database server has ended; starting it again", file=sys.stderr, flush=True)
        try:
            await asyncio.to_thread(server.start)
        except EmbeddedPostgresError as error:
            print(f"voucherswitch: {error}", file=sys.stderr, flush=True)


async def _prepare(settings: "Settings", url: str, password: str | None) -> Till:
    """Bring the database up to date and load the sandbox."""
    await migrated(url)
    connection = await connect(url)
    try:
        return await load(settings, connection, password)
    finally:
        await connection.close()


async def _supervise(
    settings: "Settings", url: str, server: "EmbeddedPostgres | None", till: Till, *, with_simulators: bool
) -> int:
    from voucherswitch.cli.supervisor import Supervisor

    children = [
        *(_simulators(settings, url) if with_simulators else ()),
        *processes.switch_children(settings, url),
        *_background(settings, url),
    ]
    supervisor = Supervisor(
        children,
        drain_s=settings.drain_s + processes.AFTER_DRAIN_S,
        prefix=settings.log_format == "console",
        on_ready=lambda: _announce(settings, till, with_simulators=with_simulators),
    )
    watch = None if server is None else asyncio.create_task(_keep_running(server), name="database watch")
    try:
        return await supervisor.run()
    finally:
        if watch is not None:
            watch.cancel()


def _simulators(settings: "Settings", url: str) -> "list[Child]":
    """They are stopped after everything that still calls them."""
    from voucherswitch.cli.supervisor import Child

    return [
        Child(
            name="simulators",
            argv=serving.serving_command("simulators", "rebind", "rebind"),
            env=processes.child_env(settings, url) | processes.WITHOUT_KEYS,
            # They are started in this order: when the last one listens, all do.
            ready=(settings.simulator_host, list(serving.simulator_ports(settings).values())[-1]),
            stop_order=3,
        )
    ]


def _background(settings: "Settings", url: str) -> "list[Child]":
    """The worker outlives the switch, so that what the switch acknowledged last is delivered too."""
    from voucherswitch.cli.supervisor import Child

    async def worker_ready() -> bool:
        try:
            connection = await connect(url)
            try:
                return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM lane WHERE expires_at > now())"))
            finally:
                await connection.close()
        except Exception:  # whatever keeps us from asking keeps the worker from working: not ready
            return False

    env = processes.child_env(settings, url)
    keyless = env | processes.WITHOUT_KEYS
    console = (settings.console_host, settings.console_port)
    return [
        Child(name="worker", argv=serving.serving_command("worker"), env=env, ready=worker_ready, stop_order=1),
        Child(name="console", argv=serving.serving_command("console"), env=keyless, ready=console, stop_order=2),
    ]


def _simulated(settings: "Settings") -> str:
    ports = serving.simulator_ports(settings)
    return f"{len(ports)} simulated on {settings.simulator_host}, ports {min(ports.values())}-{max(ports.values())}"


def _authority(settings: "Settings") -> list[tuple[str, str, str]]:
    """What whoever connects over TLS must trust, if it is ours."""
    path = settings.data_dir / CERTIFICATES / "ca.pem"
    ours = settings.tls_certificate_file == path.with_name("server.pem")
    return [("", f"its CA: {path}", "")] if ours else []


def _announce(settings: "Settings", till: Till, *, with_simulators: bool) -> None:
    """Say that a sale works now, and how to make one."""
    from pathlib import Path

    from rich import box
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    from voucherswitch.cli.output import print_styled

    interface, over_tls = processes.interface_urls(settings)
    password = f"{till.password}  ({till.note})" if till.password else till.note
    at_default = settings.data_dir == Path(".voucherswitch").absolute()
    command = "voucherswitch" if at_default else f"voucherswitch --data-dir {shlex.quote(str(settings.data_dir))}"
    facts = (
        ("Interface", f"{interface}/suv/v1", "bold"),
        ("HTTPS", f"{over_tls}/suv/v1", "bold"),
        *_authority(settings),
        ("Try it", f"{interface}/docs", "bold"),
        ("Console", processes.console_url(settings), "bold"),
        (
            "Providers",
            _simulated(settings) if with_simulators else "none simulated: every sale needs one that answers",
            "",
        ),
        ("Originator", till.user, "bold"),
        ("Password", password, "bold" if till.password else ""),
        ("", "", ""),
        ("Sell", f"{command} sell --product MOBIANY --amount 100", "cyan"),
        ("Choose", f"{command} products", "cyan"),
        ("See why", f"{command} explain", "cyan"),
        ("Operators", f"{command} user list", "cyan"),
        ("Stop", "Ctrl-C", ""),
    )
    table = Table.grid(padding=(0, 2))
    for name, value, style in facts:
        table.add_row(Text(name, "dim"), Text(value, style))
    print_styled(Panel(table, title="voucherswitch is ready", box=box.ROUNDED, expand=False, padding=(1, 2)))
    sys.stdout.flush()
