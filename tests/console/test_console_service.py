"""The console as a service: who is answered, with which headers, and what it says when something is broken."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time

import asyncpg
import pytest

from console.console_support import Console, Rows, ago, serving
from voucherswitch.config.settings import Settings
from voucherswitch.console import queries
from voucherswitch.console.app import PortInUseError, serve_console
from voucherswitch.console.reader import Reader
from voucherswitch.console.rendering import ASSETS
from voucherswitch.journal.embedded import EmbeddedPostgres

PAGES = ("/", "/transactions", "/saf", "/nothing-here", "/transactions?state=x", "/health")
NO_DATABASE = "postgresql://postgres:hunter2@127.0.0.1:1/voucherswitch"

SERVE = """
import sys
from voucherswitch.config.settings import Settings
from voucherswitch.console.app import serve_console
serve_console(Settings(console_port=int(sys.argv[1])), sys.argv[2])
print("returned")
"""


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:{port}", "127.0.0.1", "127.1.2.3:80", "[::1]:{port}", "LOCALHOST"]
)
async def test_loopback_names_are_answered(console: Console, host: str) -> None:
    assert (await console.get("/nothing-here", host=host.format(port=console.port).lower())).status == 404


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8081",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
        "@",
        "",
    ],
)
async def test_a_name_that_only_resolves_to_this_machine_is_refused(console: Console, host: str) -> None:
    """DNS rebinding: a page from elsewhere makes the operator's browser ask here under its own name."""
    for path in ("/", "/health", "/transactions", ASSETS["console.css"].url):
        page = await console.get(path, host=host or " ")
        assert page.status == 403, path
        assert "voucherswitch" not in page.body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_it_only_reads(console: Console, method: str) -> None:
    for path in ("/", "/transactions", "/saf"):
        page = await console.get(path, method=method)
        assert (page.status, page.headers["allow"]) == (405, "GET, HEAD")


async def test_every_answer_forbids_what_a_page_does_not_need(console: Console, rows: Rows) -> None:
    for path in PAGES:
        headers = (await console.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


async def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(console: Console, rows: Rows) -> None:
    await rows.provider()
    request_id = await rows.transaction()
    await rows.leg(request_id)
    await rows.advice(request_id)
    for path in (*PAGES[:-1], f"/transactions/{request_id}"):
        body = (await console.get(path)).body
        assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=|javascript:|https?://|url\(", body), path
        assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", body)), path
    for asset in ASSETS.values():
        assert b"http" not in asset.content.replace(b"http://www.w3.org/2000/svg", b""), asset.url


async def test_files_are_served_under_the_address_of_their_content(console: Console) -> None:
    for name, asset in ASSETS.items():
        page = await console.get(asset.url)
        assert (page.status, page.headers["content-type"]) == (200, asset.media_type)
        assert "immutable" in page.headers["cache-control"]
        assert (await console.get(f"/static/000000000000/{name}")).status == 404
    assert (await console.get("/static/000000000000/..%2fapp.py")).status == 404


async def test_health_tells_a_monitor_what_it_needs(console: Console, rows: Rows) -> None:
    request_id = await rows.transaction()
    await rows.advice(request_id, created_at=ago(seconds=100))
    for number in range(3):
        await rows.insert("lane", provider_id="p", lane=number, expires_at=ago(seconds=-60 if number else 60))
    page = await console.get("/health")
    found = page.json()
    assert (found.pop("provider_faults"), found.pop("providers_not_asked")) == ({}, {})
    assert page.status == 200
    assert page.headers["content-type"] == "application/json"
    assert 100 <= found.pop("oldest_queued_advice_s") < 110
    assert found == {
        "status": "ok", "database": "reachable", "migrations": "current", "lanes": 3, "lanes_leased": 2,
        "invariants_checked_s_ago": None, "invariants_broken": {},
    }  # fmt: skip


async def test_health_tells_what_the_last_check_of_the_invariants_found(console: Console, rows: Rows) -> None:
    await rows.checked('[{"name": "two_advices", "rows": [{"key": "1", "found": "2"}]}]', ago(seconds=30))
    found = (await console.get("/health")).json()
    assert found["status"] == "ok", "the console can do its work"
    assert found["invariants_broken"] == {"two_advices": 1}
    assert 30 <= found["invariants_checked_s_ago"] < 40


async def test_health_says_when_migrations_are_missing(database_url: str, pool: asyncpg.Pool, rows: Rows) -> None:
    version = await pool.fetchval("SELECT version_num FROM alembic_version")
    await pool.execute("DELETE FROM alembic_version")
    try:
        async with serving(database_url) as console:
            page = await console.get("/health")
            assert (page.status, page.json()["migrations"]) == (503, "pending")
    finally:
        await pool.execute("INSERT INTO alembic_version VALUES ($1)", version)


async def test_another_schema_is_named_as_the_trouble(
    console: Console, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "_PROVIDERS", "SELECT column_of_a_later_release FROM provider")
    page = await console.get("/saf")
    assert page.status == 503
    assert "voucherswitch db migrate" in page.text


async def test_without_a_database_pages_say_so_and_keep_the_password() -> None:
    async with serving(NO_DATABASE) as console:
        for path in ("/", "/transactions", "/transactions/0b0c4a5e-6d1f-4a7b-9a53-1d2f3c4b5a69", "/saf"):
            page = await console.get(path)
            assert page.status == 503
            assert page.headers["retry-after"] == "5"
            assert "The database cannot be reached" in page.text
            assert "Traceback" not in page.body
            assert "hunter2" not in page.body
        health = await console.get("/health")
        assert (health.status, health.json()["database"]) == (503, "away")
        assert (await console.get(ASSETS["console.css"].url)).status == 200


async def test_it_comes_back_with_the_database(server: EmbeddedPostgres, console: Console, rows: Rows) -> None:
    assert (await console.get("/")).status == 200
    await asyncio.to_thread(server.stop)
    try:
        assert (await console.get("/")).status == 503
        assert (await console.get("/health")).status == 503
    finally:
        await asyncio.to_thread(server.start)
    assert (await console.get("/")).status == 200
    assert (await console.get("/health")).status == 200


async def test_a_cut_connection_costs_at_most_one_page(console: Console, rows: Rows, pool: asyncpg.Pool) -> None:
    await console.get("/saf")
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'voucherswitch console'"
    )
    await console.get("/saf")
    assert (await console.get("/saf")).status == 200


async def test_a_fault_of_ours_is_a_page_with_an_incident(
    console: Console, rows: Rows, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(queries, "providers", fail)
    page = await console.get("/saf")
    assert page.status == 500
    assert "content-security-policy" in page.headers
    assert "secret detail" not in page.body
    incident = re.search(r"incident ([0-9a-f]{12})", page.text)
    assert incident is not None
    assert incident[1] in "".join(capsys.readouterr()), "the log knows it by the same number"


async def test_the_console_cannot_write(database_url: str, rows: Rows) -> None:
    reader = Reader(database_url)
    await reader.open()
    try:
        async with reader.snapshot() as connection:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("DELETE FROM transaction")
    finally:
        await reader.close()


async def test_many_readers_at_once_are_all_served(console: Console, rows: Rows) -> None:
    await rows.provider()
    pages = await asyncio.gather(*(console.get(path) for path in ("/", "/transactions", "/saf") for _ in range(8)))
    assert {page.status for page in pages} == {200}


def test_a_signal_ends_the_process_in_order() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(port), NO_DATABASE], stdout=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 20
        while not _accepts(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 0
    assert output.endswith("returned\n"), "the process that serves goes on after it"


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError) as refused:
            serve_console(Settings(console_port=port), NO_DATABASE)
    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; set console_port to another"
    )


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
