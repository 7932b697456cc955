"""The benchmark of store-and-forward: what is sold past the switch, which rows are queued, and what is too slow."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

from bench.errors import BenchError
from bench.saf import missed_by
from bench.saf_fill import CONNECTIONS, TOLD_EVERY, sell
from bench.saf_rounds import SETTLE_S, Drain, SafPlan, SafReport, Waits
from bench.sandbox import API_KEY


def report(rate: float, longest_ms: float | None) -> SafReport:
    waits = None
    if longest_ms is not None:
        waits = Waits(
            standing=900, down=["down1"], p50_ms=90.0, max_ms=longest_ms, all_ms=[90.0, longest_ms], attempts=4, busy={}
        )
    drain = Drain(advices=100, seconds=100 / rate, rate=rate, cpu_us={})
    return SafReport(drain=drain, waits=waits, machine={}, settings={}, notes=[])


def test_both_limits_are_held() -> None:
    assert missed_by(report(3_000.0, 999.0)) == []
    assert missed_by(report(2_999.0, 1_000.0)) == [
        "2,999 advices a second were delivered, and 3,000 is the least",
        "an advice waited 1,000 ms, and less than 1,000 is asked for",
    ]


def test_without_a_standing_queue_nothing_is_said_of_waits() -> None:
    assert missed_by(report(3_000.0, None)) == []


def test_a_plan_without_a_standing_queue_has_no_steps_for_it() -> None:
    drain_only = SafPlan(advices=10_000, standing=0, sales=30)

    assert 0 < drain_only.steps < SafPlan(advices=20_000, standing=0, sales=30).steps
    assert SafPlan(advices=10_000, standing=1_000, sales=30).steps > drain_only.steps + SETTLE_S


@asynccontextmanager
async def provider(status: str, heard: list[tuple[str, dict[str, Any]]]) -> AsyncIterator[str]:
    """A provider on a real socket that answers everything with one status, in two pieces."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = int(head.lower().partition("content-length:")[2].split("\r\n", 1)[0])
                heard.append((head, json.loads(await reader.readexactly(length))))
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{".encode())
                await writer.drain()
                writer.write(b"}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the buyer has closed
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/sandbox/v1"
    finally:
        server.close()


async def test_every_voucher_is_sold_once_under_an_id_of_its_own() -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    told: list[int] = []
    async with provider("201 Created", heard) as url:
        ids = await sell(url, TOLD_EVERY, told.append)

    assert sorted(UUID(sale["requestId"]) for _, sale in heard) == sorted(ids)
    assert len(set(ids)) == TOLD_EVERY
    assert told == [TOLD_EVERY]
    assert all(head.startswith("POST /sandbox/v1/vouchers ") and API_KEY in head for head, _ in heard)


async def test_fewer_than_there_are_connections_are_sold_too() -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    async with provider("201 Created", heard) as url:
        ids = await sell(url, CONNECTIONS // 2, lambda _: None)

    assert len(heard) == len(ids) == CONNECTIONS // 2


async def test_a_provider_that_refuses_a_sale_ends_the_run_with_one_error() -> None:
    async with provider("402 Payment Required", []) as url:
        with pytest.raises(BenchError, match=r"did not sell: b'http/1\.1 402"):
            await sell(url, 3, lambda _: None)
