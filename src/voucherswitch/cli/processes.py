"""The four processes of production, each alone: `switch`, `worker`, `console`, `simulators`.

They expect a database that is there and up to date; SIGTERM drains them. What each does is in serving.py.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from voucherswitch.cli import serving
from voucherswitch.cli.context import check_database, connect, load_settings, running_database
from voucherswitch.cli.errors import say

if TYPE_CHECKING:
    from voucherswitch.cli.supervisor import Child
    from voucherswitch.config.settings import Settings

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


def worker() -> None:
    """Deliver advices: store-and-forward. Several may run.

    They share the work. SIGTERM lets deliveries under way end, for `drain_s` at most, and gives the lanes back.
    """
    serving.worker()


def console() -> None:
    """Serve the operators' web console."""
    serving.console()


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
    serving.simulators(id_reuse, code_reuse)


def switch_children(settings: "Settings", url: str) -> "list[Child]":
    """The switch's processes as children of a supervisor."""
    from voucherswitch.cli.supervisor import Child
    from voucherswitch.interface.server import listening_sockets

    return [
        Child(
            name=f"switch-{number}",
            argv=serving.serving_command("switch-worker"),
            env=child_env(settings, url),
            tells_ready=True,
            listen=partial(listening_sockets, settings),
        )
        for number in range(1, settings.workers + 1)
    ]


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


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
