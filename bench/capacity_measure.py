"""What a sale takes of everything: one sandbox, one worker, sales that are confirmed, and a look at what they left."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from bench import machine
from bench.capacity_report import SENDER, WORKER, CapacityReport, Disk
from bench.contenders import COMMAND
from bench.database import Database, require_durable
from bench.depth_writes import PAGE_BYTES, Log
from bench.errors import BenchError
from bench.generator import Load
from bench.measurement import Measurement
from bench.progress import Display
from bench.rounds import temporary_folder
from bench.switch import Switch, switch_apart
from voucherswitch.config.settings import Settings

TABLES: Final = ("transaction", "leg", "advice", "voucher")
SCENARIO: Final = "confirm"
APPLICATIONS: Final = {WORKER: "voucherswitch switch", SENDER: "voucherswitch worker"}
WARM_S: Final = 3.0  # fills the caches, and the first page of every index

# Of a table with its partitions, its TOAST and all their indexes. One without partitions is no tree.
_SIZE: Final = (
    "SELECT coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{table}')),"
    " pg_total_relation_size('{table}'))::bigint"
)
_CONNECTIONS: Final = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'"


class CapacityPlan(Struct, frozen=True, kw_only=True):
    """How much is sold."""

    seconds: float = 20.0
    warmup: float = 2.0
    connections: int = 64
    folder: Path | None = None
    keep: bool = False

    @property
    def measured_s(self) -> float:
        """Seconds of load that the plan asks for."""
        return WARM_S + self.warmup + self.seconds


def measure_capacity(plan: CapacityPlan, display: Display) -> CapacityReport:
    """Carry a plan out."""
    with temporary_folder(plan.folder, keep=plan.keep) as folder:
        facts = machine.describe(folder)
        display.say("starting voucherswitch")
        switch = switch_apart(COMMAND, folder)
        try:
            switch.start()
            return _measure(switch, plan, facts, display)
        finally:
            display.say("stopping")
            switch.stop()


def _measure(switch: Switch, plan: CapacityPlan, facts: dict[str, object], display: Display) -> CapacityReport:
    database = switch.database
    postgres = database.settings()
    require_durable(postgres)
    display.say("warming up")
    _sell(switch, Load(connections=plan.connections, seconds=WARM_S, warmup=0.5, scenario=SCENARIO), display)
    display.finished(WARM_S)
    kept = _rows(database)
    _vacuum(database)
    sizes, log = _sizes(database), Log.of(database)
    display.say("selling and confirming")
    measured = _sell(
        switch,
        Load(connections=plan.connections, seconds=plan.seconds, warmup=plan.warmup, scenario=SCENARIO),
        display,
    )
    display.finished(plan.warmup + plan.seconds)
    after, written = Log.of(database), _sizes(database)
    connections = {process: database.number(_CONNECTIONS.format(name=name)) for process, name in APPLICATIONS.items()}
    display.say("writing the tables anew")
    _vacuum(database)
    compact, sales, rows = _sizes(database), measured.done_in_all, _rows(database)
    messages = measured.messages_in_all / sales
    return CapacityReport(
        sales=sales,
        rate=measured.rate,
        cpu_us={process: one * messages for process, one in measured.cpu_us.items()},
        wal_bytes=(after.bytes - log.bytes) / sales,
        page_image_share=min(1.0, (after.images - log.images) * PAGE_BYTES / (after.bytes - log.bytes)),
        disk={
            name: Disk(written=(written[name] - sizes[name]) / (rows - kept), compact=compact[name] / rows)
            for name in TABLES
        },
        connections=connections,
        in_flight_per_worker=Settings.model_fields["provider_in_flight_max"].default,
        memory=measured.memory,
        machine=facts,
        settings={
            "workers": 1,
            "connections": plan.connections,
            "seconds": plan.seconds,
            "warmup": plan.warmup,
            "postgres": postgres,
        },
        notes=machine.warnings(facts),
    )


def _sell(switch: Switch, load: Load, display: Display) -> Measurement:
    measured = switch.measure(load, display.tick)
    if measured.errors or not measured.done:
        what = f"{measured.errors}, the first: {measured.first_error}" if measured.errors else "nothing was sold"
        raise BenchError(f"under load: {what}")
    return measured


def _rows(database: Database) -> int:
    return database.number("SELECT count(*) FROM transaction")


def _vacuum(database: Database) -> None:
    """Write the tables anew, live rows alone."""
    database.run(*(f"VACUUM (FULL, ANALYZE) {table}" for table in TABLES))


def _sizes(database: Database) -> dict[str, int]:
    return {table: database.number(_SIZE.format(table=table)) for table in TABLES}
