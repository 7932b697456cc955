"""What takes part in a run, started and stopped together.

The switch is always started, also where only others are measured: the provider is its, the database server too unless
another one is named, and the bare contenders do what one of its provisions does.
"""

import json
import secrets
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from bench.answers import answer_of, differences
from bench.children import free_ports
from bench.costs import DATABASE, Groups
from bench.database import Database
from bench.echo import Echo
from bench.generator import Load
from bench.measurement import Measurement
from bench.progress import Display
from bench.sample import take
from bench.sandbox import Sandbox
from bench.stack import ConventionalStack
from bench.switch import Switch
from bench.two_commits import TwoCommits

COMMAND: Final = Path(sys.executable).with_name("voucherswitch")
JOURNAL: Final = "voucherswitch_bench_journal"
OTHERS: Final = "voucherswitch_bench"


class Site(Struct, frozen=True, kw_only=True):
    """Where all of it runs."""

    workers: int = 2
    interface_port: int = 8080
    console_port: int = 8081
    simulator_port_base: int = 9100
    conventional_port: int = 8090
    database_url: str | None = None
    command: Path = COMMAND


class Contender(Protocol):
    """What takes part."""

    key: str
    title: str

    def start(self) -> None: ...

    def measure(self, load: Load, tick: Callable[[], None]) -> Measurement: ...

    def stop(self) -> None: ...


class Running(Struct, frozen=True):
    """What was started: contenders by key, in the order in which they take their turns, and what they share."""

    contenders: dict[str, Contender]
    database: Database
    sandbox: Sandbox
    notes: list[str]


@contextmanager
def running(wanted: Collection[str], site: Site, folder: Path, display: Display) -> Iterator[Running]:
    """Start the contenders, and stop everything in the end."""
    with ExitStack() as stack:
        server = None if site.database_url is None else Database(site.database_url)
        display.say("starting voucherswitch")
        switch = Switch(
            site.command,
            folder,
            password=secrets.token_hex(16),
            port=site.interface_port,
            console_port=site.console_port,
            simulator_port_base=site.simulator_port_base,
            workers=site.workers,
            database_url=None if server is None else _own(server, JOURNAL, stack).url,
            # Product lookups are few for each originator unless that is lifted; they would be refused, not measured.
            settings={"tls_port": free_ports(1), "product_lookups_per_s": 0},
        )
        stack.callback(switch.stop)
        switch.start()
        own = _own(server or switch.database, OTHERS, stack if server else None)
        sample = take(switch.url, switch.password, switch.database)

        contenders: dict[str, Contender] = {}
        notes: list[str] = []
        if "a" in wanted:
            contenders["a"] = switch
        if "b" in wanted:
            conventional = ConventionalStack(
                folder, own, switch.sandbox, switch.shared, port=site.conventional_port, workers=site.workers
            )
            _start(conventional, stack, display)
            contenders["b"] = conventional
            answer = answer_of(conventional.url, conventional.password, "the conventional stack")
            if found := differences(json.loads(sample.answer.body), json.loads(answer.body)):
                notes.append(f"the answers of a and b differ: {'; '.join(found)}")
        if "c" in wanted:
            database = {name: pids for name, pids in switch.shared.pids.items() if name == DATABASE}
            contenders["c"] = TwoCommits(folder, own, sample, Groups(database))
            _start(contenders["c"], stack, display)
        if "d" in wanted:
            contenders["d"] = Echo(folder, sample.answer, workers=site.workers)
            _start(contenders["d"], stack, display)
        yield Running(contenders, switch.database, switch.sandbox, notes)
        display.say("stopping")


def _start(contender: Contender, stack: ExitStack, display: Display) -> None:
    display.say(f"starting ({contender.key}) {contender.title}")
    stack.callback(contender.stop)
    contender.start()


def _own(server: Database, name: str, stack: ExitStack | None) -> Database:
    """Make a database of the benchmark's own; on somebody else's server, leave none behind."""
    if stack is not None:
        stack.callback(server.drop, name)
    return server.make(name)
