"""`python -m bench.authentication`: what it costs a sale to ask who sends it, in CPU time of the switch's worker.

Ways of asking take turns on one database: nobody is asked (a worker of bench/authentication_worker.py), HTTP Basic,
OAuth2 bearer tokens, and client certificates. Connections are kept, as tills keep them. What a new connection costs is
measured by itself. Whole provisions differ by more than what is looked for when the machine is busy, so what asking and
TLS take is measured alone too, and told as a share of the cheapest round in which nobody was asked.
"""

import asyncio
import json
import signal
import ssl
import sys
from base64 import b64encode
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import asyncpg
import typer
import uvloop
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.authentication_worker import STAGES
from bench.children import Child, free_ports
from bench.contenders import COMMAND
from bench.database import require_durable
from bench.errors import BenchError
from bench.load import generate
from bench.processes import cpu_s
from bench.progress import Bar
from bench.provision import ORIGINATOR, REQUEST
from bench.results import publish, told_in_one_line
from bench.rounds import temporary_folder
from bench.switch import Switch, environment, switch_apart
from bench.tls_records import tls_us
from voucherswitch.catalogue import store
from voucherswitch.catalogue.oauth_clients import add_client
from voucherswitch.config.settings import Settings
from voucherswitch.security.dev_certificates import DevCertificates
from voucherswitch.security.passwords import hash_password
from voucherswitch.security.peer import certificate_of
from voucherswitch.security.tls import read_tls

CERTIFIED: Final = "22222290"  # an originator that must show its certificate
READY_S: Final = 60.0
HANDSHAKES: Final = 200
LIMIT: Final = 0.10


class Way(Struct, frozen=True):
    """One way of asking: where, and with what. `against`: the way whose cost it is compared with."""

    name: str
    worker: str
    over_tls: bool = False
    certificate: bool = False
    token: bool = False
    against: str = ""


WAYS: Final = (
    Way("nobody is asked", "nobody"),
    Way("Basic", "product", against="nobody is asked"),
    Way("OAuth2", "product", token=True, against="nobody is asked"),
    Way("nobody is asked, TLS", "nobody", over_tls=True),
    Way("Basic, TLS", "product", over_tls=True, against="nobody is asked, TLS"),
    Way("OAuth2, TLS", "product", over_tls=True, token=True, against="nobody is asked, TLS"),
    Way("mTLS and Basic", "certified", over_tls=True, certificate=True, against="nobody is asked, TLS"),
)


class WayReport(Struct, frozen=True):
    """CPU of the worker in microseconds per provision: median, each round, and the ratio to another way's."""

    cpu_us: float
    cpu_us_by_round: list[float]
    ratio: float | None
    ratio_by_round: list[float]


class AuthenticationReport(Struct, frozen=True):
    """The whole run, in microseconds of the processor.

    Attributes:
        ways: whole provisions, by way of asking.
        asking_us: the gatekeeper alone, by scheme and transport.
        tls_us: TLS alone, for each request on a kept connection.
        share: what asking, with TLS where it is needed, adds to a provision that asks nobody.
        connection_cpu_us: what a new connection costs the worker.
    """

    ways: dict[str, WayReport]
    asking_us: dict[str, float]
    tls_us: float
    share: dict[str, float]
    connection_cpu_us: dict[str, float]
    machine: dict[str, object]
    settings: dict[str, object]
    notes: list[str]


class Stand:
    """The running workers and what is needed to speak to them."""

    def __init__(self, stack: ExitStack, folder: Path, switch: Switch, ports: Sequence[int]) -> None:
        self.password = switch.password
        self.certificates = DevCertificates(folder / "certs")
        self.certificates.ensure_authority()
        self.certificates.ensure_server()
        self.certificates.make_client(CERTIFIED)
        self.client_id, self.client_secret = asyncio.run(self._register(switch.database.url))
        self.ports: dict[str, tuple[int, int]] = {}
        self.workers: dict[str, Child] = {}
        certificate, key = self.certificates.server
        for number, name in enumerate(("nobody", "product", "certified")):
            plain, over_tls = ports[2 * number], ports[2 * number + 1]
            env = environment(interface_port=plain, tls_port=over_tls) | {
                "DATABASE_URL": switch.database.url,
                "VOUCHERSWITCH_DATA_DIR": str(folder / "data"),
                "VOUCHERSWITCH_TLS_CERTIFICATE_FILE": str(certificate),
                "VOUCHERSWITCH_TLS_KEY_FILE": str(key),
            }
            if name == "certified":
                env["VOUCHERSWITCH_TLS_CLIENT_CERTIFICATES"] = "required"
                env["VOUCHERSWITCH_TLS_CLIENT_CA_FILE"] = str(self.certificates.authority)
                env["VOUCHERSWITCH_TLS_CLIENT_REVOCATIONS_FILE"] = str(self.certificates.revocations)
            env[STAGES] = str(folder / f"{name}.stages")
            mode = "nobody" if name == "nobody" else "product"
            command = [sys.executable, "-m", "bench.authentication_worker", mode]
            worker = Child(f"worker {name}", command, env=env, cwd=ROOT, log=folder / f"{name}.log")
            stack.callback(worker.stop)
            self.ports[name], self.workers[name] = (plain, over_tls), worker
        for name, worker in self.workers.items():
            worker.wait_until_ready(f"http://127.0.0.1:{self.ports[name][0]}/openapi.json", READY_S)
        self.token = self._token()

    async def _register(self, url: str) -> tuple[str, str]:
        """Register the originator with a certificate, and a client that fetches tokens."""
        connection = await asyncpg.connect(url)
        try:
            path, _ = self.certificates.client(CERTIFIED)
            fingerprint = certificate_of(ssl.PEM_cert_to_DER_cert(path.read_text())).fingerprint
            values = {"name": CERTIFIED, "password_hash": hash_password(self.password)}
            await store.add_originator(connection, CERTIFIED, values)
            await connection.execute(
                "INSERT INTO originator_certificate (originator_id, fingerprint) VALUES ($1, $2)",
                CERTIFIED,
                fingerprint,
            )
            new = await add_client(connection, ORIGINATOR, None)
            return new.client_id, new.secret
        finally:
            await connection.close()

    def _token(self) -> str:
        """Fetch a token; the key that signs it, and the client, must have reached the worker."""
        basic = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        request = Request(
            f"http://127.0.0.1:{self.ports['product'][0]}/oauth2/token",
            data=urlencode({"grant_type": "client_credentials"}).encode(),
            headers={"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"},
        )
        try:
            with urlopen(request, timeout=10) as answer:
                token: str = json.load(answer)["access_token"]
        except URLError as error:
            raise BenchError(f"no token: {error}") from None
        return token

    def context(self, way: Way) -> ssl.SSLContext | None:
        """The TLS of a client."""
        if not way.over_tls:
            return None
        context = ssl_context(self.certificates.authority)
        if way.certificate:
            context.load_cert_chain(*self.certificates.client(CERTIFIED))
        return context

    def server_context(self) -> ssl.SSLContext:
        """The TLS of the product."""
        certificate, key = self.certificates.server
        settings = Settings(tls_certificate_file=certificate, tls_key_file=key)
        return read_tls(settings, clients=None).context

    def stages(self, folder: Path) -> dict[str, dict[str, float]]:
        """Stop the workers; return what asking took in each, by scheme and transport."""
        for worker in self.workers.values():
            worker.stop()
        return {name: json.loads((folder / f"{name}.stages").read_text()) for name in ("product", "certified")}

    def port(self, way: Way) -> int:
        """Where a way is asked."""
        return self.ports[way.worker][way.over_tls]

    def provision(self, way: Way, *, connections: int, seconds: float, warmup: float) -> float:
        """Put load on; return the CPU of the worker per provision, in microseconds."""
        user = CERTIFIED if way.certificate else ORIGINATOR
        request = {**REQUEST, "client": {"id": user, "name": "Baobab Pay Switch"}}
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            one = runner.run(
                generate(
                    f"http://127.0.0.1:{self.port(way)}",
                    user=user,
                    password=self.password,
                    connections=connections,
                    seconds=seconds,
                    warmup=warmup,
                    request=request,
                    cpu_of=self.workers[way.worker].pid,
                    tls=self.context(way),
                    token=self.token if way.token else None,
                )
            )
        if one.errors or one.server_cpu_us is None:
            raise BenchError(f"{way.name}: {one.errors}, the first: {one.first_error}")
        return one.server_cpu_us

    def connect(self, way: Way) -> float:
        """Open and close connections one after the other; return the worker's CPU for one, in microseconds."""
        pid, context = self.workers[way.worker].pid, self.context(way)

        async def all_of_them() -> None:
            for _ in range(HANDSHAKES):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port(way), ssl=context)
                writer.write(b"GET /openapi HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                await reader.read()  # the handshake is over for the server too
                writer.close()

        before = cpu_s(pid)
        asyncio.run(all_of_them())
        return (cpu_s(pid) - before) * 1e6 / HANDSHAKES


ROOT: Final = Path(__file__).resolve().parents[1]


def ssl_context(authority: Path) -> ssl.SSLContext:
    """The TLS of a client that trusts this authority."""
    return ssl.create_default_context(cafile=str(authority))


def measure(rounds: int, seconds: float, warmup: float, connections: int, bar: Bar) -> AuthenticationReport:
    """Carry the run out."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder(None, keep=False))
        facts = machine.describe(folder)
        bar.say("starting voucherswitch")
        switch = switch_apart(COMMAND, folder)
        stack.callback(switch.stop)
        switch.start()
        postgres = switch.database.settings()
        require_durable(postgres)
        stand = Stand(stack, folder, switch, range((first := free_ports(6)), first + 6))
        for way in WAYS:  # the first password of a worker is checked for tens of milliseconds, then remembered
            bar.say(f"first provisions: {way.name}")
            stand.provision(way, connections=1, seconds=1.0, warmup=3.0)
        cpu: dict[str, list[float]] = {way.name: [] for way in WAYS}
        opened: dict[str, list[float]] = {}
        for number in range(1, rounds + 1):
            # Every second round backwards, so that what goes on getting slower or faster falls on all alike.
            for way in WAYS if number % 2 else WAYS[::-1]:
                bar.say(f"round {number} of {rounds}: {way.name}")
                switch.database.checkpoint()
                cpu[way.name].append(stand.provision(way, connections=connections, seconds=seconds, warmup=warmup))
                bar.finished(seconds + warmup)
            for way in (WAYS[1], WAYS[4], WAYS[6]):
                kind = "mTLS" if way.certificate else "TLS" if way.over_tls else "plain"
                opened.setdefault(kind, []).append(stand.connect(way))
        bar.say("TLS alone")
        over_tls = tls_us(stand.server_context(), ssl_context(stand.certificates.authority))
        bar.say("stopping")
        asking = stand.stages(folder)
    ways = {}
    for way in WAYS:
        against = cpu.get(way.against, [])
        ratios = [mine / other for mine, other in zip(cpu[way.name], against, strict=False)]
        ways[way.name] = WayReport(median(cpu[way.name]), cpu[way.name], median(ratios) if ratios else None, ratios)
    unasked_us = min(ways["nobody is asked"].cpu_us_by_round)  # the strictest: the least that a provision took
    added_us = {
        "Basic": asking["product"]["Basic http"],
        "OAuth2": asking["product"]["Bearer http"],
        "Basic over TLS": asking["product"]["Basic https"] + over_tls,
        "OAuth2 over TLS": asking["product"]["Bearer https"] + over_tls,
        "mTLS and Basic": asking["certified"]["Basic https"] + over_tls,
    }
    return AuthenticationReport(
        ways=ways,
        asking_us={f"{worker}: {kind}": us for worker, kinds in asking.items() for kind, us in kinds.items()},
        tls_us=over_tls,
        share={name: us / unasked_us for name, us in added_us.items()},
        connection_cpu_us={kind: median(figures) for kind, figures in opened.items()},
        machine=facts,
        settings={"rounds": rounds, "seconds": seconds, "connections": connections, "postgres": postgres},
        notes=machine.warnings(facts),
    )


def table_of(report: AuthenticationReport) -> Table:
    """The report for people."""
    table = Table("who is asked", "CPU µs per provision", "ratio", "by round", box=None)
    for name, way in report.ways.items():
        by_round = f"{min(way.ratio_by_round):.2f}-{max(way.ratio_by_round):.2f}" if way.ratio_by_round else ""
        table.add_row(name, f"{way.cpu_us:,.0f}", "" if way.ratio is None else f"{way.ratio:.3f}", by_round)
    for kind, asking_us in report.asking_us.items():
        table.add_row(f"asking alone, {kind}", f"{asking_us:,.1f}", "", "")
    table.add_row("TLS alone, a request", f"{report.tls_us:,.1f}", "", "")
    for kind, share in report.share.items():
        table.add_row(f"what {kind} adds", "", f"{share:.1%}", "")
    for kind, cpu_us in report.connection_cpu_us.items():
        table.add_row(f"a new connection, {kind}", f"{cpu_us:,.0f}", "", "")
    return table


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each, in turns.")] = 9,
    seconds: Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")] = 3.0,
    warmup: Annotated[float, typer.Option(min=0, help="Seconds of load before them.")] = 1.0,
    connections: Annotated[int, typer.Option(min=1, help="Connections of the load generator.")] = 16,
    check: Annotated[bool, typer.Option("--check", help=f"End with code 1 when a way adds over {LIMIT:.0%}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
) -> None:
    """What asking who sends a sale costs it: CPU time of the switch's worker, against one that asks nobody."""
    console = Console(stderr=as_json)
    with told_in_one_line(), Bar(console, rounds * len(WAYS) * (seconds + warmup)) as bar:
        report = measure(rounds, seconds, warmup, connections, bar)
    publish(report, console, table_of(report), as_json=as_json, prefix="authentication-")
    over = {name: share for name, share in report.share.items() if share > LIMIT}
    if check and over:
        print(f"bench: over {LIMIT}: {over}", file=sys.stderr)
        raise typer.Exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop what we started then too
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m bench.authentication")
