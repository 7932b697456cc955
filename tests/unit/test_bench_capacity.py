"""The cost model: what is multiplied how, and that its page names settings and commands that there are."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.capacity_measure import SCENARIO, TABLES, CapacityPlan
from bench.capacity_report import CapacityReport, Disk, need_of, page_of
from bench.generator import ROOT
from bench.measurement import Memory
from bench.scenarios import SCENARIOS

from voucherswitch.config.settings import Settings

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def report(cpu_us: float = 700.0) -> CapacityReport:
    return CapacityReport(
        sales=20_000,
        rate=800.0,
        cpu_us={"server": cpu_us, "worker": 140.0, "database": 350.0, "provider": 100.0, "generator": 60.0},
        wal_bytes=10_485.76,
        page_image_share=0.1,
        disk={name: Disk(written=2_048.0, compact=1_024.0) for name in TABLES},
        connections={"server": 6, "worker": 4},
        in_flight_per_worker=256,
        memory={name: Memory(90.0, 60.0) for name in ("server", "worker", "database")},
        machine={"cores": 2, "cpu": "a processor", "python": "3.11.7"},
        settings={"workers": 1, "connections": 64},
        notes=["the machine was busy"],
    )


def test_a_thousand_a_second_are_multiplied() -> None:
    need = need_of(report(), 1_000)

    assert (need.workers_by_cpu, need.senders, need.database_cores) == (1, 1, 0.5)  # 0.7 of a core is all of one
    assert need.calls_waiting == 500
    assert need.workers_by_calls == need.workers == 3  # 500 calls, 179 of 256 places used by each
    assert need.connections == 3 * 6 + 4
    assert need.wal_mib_s == pytest.approx(10.0)
    assert need.wal_gib_day == pytest.approx(10.0 * 86_400 / 1024)
    assert need.disk_gib_day == pytest.approx(4_096 * 1_000 * 86_400 / 2**30)


def test_work_decides_where_it_needs_more_workers_than_calls_do() -> None:
    need = need_of(report(cpu_us=7_000.0), 1_000)

    assert need.workers_by_cpu == need.workers == 10
    assert need.workers_by_calls == 3


def test_the_page_has_all_that_was_measured() -> None:
    text = page_of(report(), NOW)

    assert "| switch workers | 700 | 0.19 | 60.0 | 6 |" in text
    assert "| `leg` | 1.91 | 0.95 |" in text
    assert "| log (WAL) | 9.77 | at most 10% of it page images |" in text
    assert "| sales a second | 100 | 1,000 | 10,000 |" in text
    assert "on 2026-11-24" in text
    assert "Note: the machine was busy." in text


def test_the_page_names_what_there_is() -> None:
    text = page_of(report(), NOW)

    for setting in ("trace_days", "closed_days", "provider_in_flight_max"):
        assert setting in Settings.model_fields
        assert f"`{setting}`" in text
    for module in re.findall(r"python -m bench\.(\w+)", " ".join(text.split())):
        assert (ROOT / "bench" / f"{module}.py").is_file(), module


def test_every_table_of_a_page_is_one() -> None:
    """Each line of a table has as many cells as its head."""
    for table in re.findall(r"(?:^\|.*\|\n)+", page_of(report(), NOW), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_what_is_measured_ends_with_the_confirmation_delivered() -> None:
    assert SCENARIO in SCENARIOS
    assert CapacityPlan(seconds=20.0).measured_s == 25.0
