"""Simulators as processes run them: ports, addresses, event loops, many connections, bounded books."""

import asyncio
import resource
import socket
import uuid
from collections.abc import Mapping

import pytest

from providers.pair_support import running
from providers.provider_support import http, in_uvloop
from providers.sandbox_support import Sandbox, provision_order, settings_of
from voucherswitch.message.outcomes import Approved, OutcomeUnknown
from voucherswitch.providers import registry
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.sandbox.connector import connect
from voucherswitch.providers.sandbox.simulator import API_KEY, SandboxSimulator, book, start
from voucherswitch.providers.simulators import serve_simulators

FAULTS = ("drop_before", "drop_after", "rst_before", "rst_after", "truncate", "malformed")


def free_port() -> int:
    """A port whose neighbour 100 above is free too."""
    while True:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port: int = low.getsockname()[1]
            try:
                high.bind(("127.0.0.1", port + 100))
            except (OSError, OverflowError):
                continue
            return port


async def test_all_simulators_run_until_cancelled() -> None:
    port, ready = free_port(), asyncio.Event()
    running: dict[str, RunningSimulator] = {}

    def started(simulators: Mapping[str, RunningSimulator]) -> None:
        running.update(simulators)
        ready.set()

    profiles = {"sandbox": {"id_reuse": "rebind", "float_cents": 5}}
    task = asyncio.create_task(serve_simulators("127.0.0.1", {"sandbox": port}, profiles, started))
    await ready.wait()
    assert running["sandbox"].url == f"http://127.0.0.1:{port}"
    assert running["sandbox"].control_url == f"http://127.0.0.1:{port + 100}"
    assert (await http("GET", f"http://127.0.0.1:{port + 100}/__sim/state")).json["floatCents"] == 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for gone in (port, port + 100):
        with pytest.raises(ConnectionRefusedError):
            await http("GET", f"http://127.0.0.1:{gone}/")


@pytest.mark.parametrize("above", [0, 100])
async def test_a_port_in_use_is_named_and_nothing_is_left_running(above: int) -> None:
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port + above))
        taken.listen()
        with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port + above}: "):
            await serve_simulators("127.0.0.1", {"sandbox": port})
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 100 - above))


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.com", "::"])
async def test_simulators_listen_on_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        await serve_simulators(host, {"sandbox": 0})


async def test_an_unknown_simulator_is_named() -> None:
    with pytest.raises(ValueError, match=r"there is no simulator 'acme'; there are .*sandbox"):
        await serve_simulators("127.0.0.1", {"acme": 0})


def test_every_simulator_has_its_port() -> None:
    ports = [registry.simulator_port(name) for name in registry.names()]
    assert len(set(ports)) == len(ports)
    assert registry.simulator_port("sandbox") == 9111


def test_faults_and_control_work_under_uvloop() -> None:
    def impatient(simulator: SandboxSimulator) -> dict[str, object]:
        return settings_of(simulator) | {"read_timeout_ms": 5_000}

    async def work() -> None:
        async with running(Sandbox, "sandbox", start, connect, impatient) as pair:
            for kind in FAULTS:
                await pair.fault(kind)
                assert isinstance(await pair.provision(request_id=str(uuid.uuid4())), OutcomeUnknown), kind
                assert isinstance(await pair.provision(request_id=str(uuid.uuid4())), Approved)
            await pair.fault("split", params={"sizes": [3], "gapMs": 0})
            assert isinstance(await pair.provision(request_id=str(uuid.uuid4())), Approved)
            await pair.fault("refuse_connect", params={"ms": 100})
            assert not isinstance(await pair.provision(request_id=str(uuid.uuid4())), Approved)
            assert len(await pair.journal()) == 2 * len(FAULTS) + 1
        port = pair.simulator.frame.listener.port
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    in_uvloop(work)


async def test_thousands_of_connections_are_served(sandbox: Sandbox) -> None:
    listener = sandbox.simulator.frame.listener
    # Both ends are in this process: two files each.
    count = min(2_000, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2)
    opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", listener.port) for _ in range(count)))
    request = f"GET /sandbox/v1/products HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n\r\n".encode()
    for _, writer in opened:
        writer.write(request)
    answers = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in opened))
    assert all(answer.startswith(b"HTTP/1.1 200 OK\r\n") for answer in answers)
    assert len(listener.connections) >= count
    for _, writer in opened:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in opened))
    assert isinstance(await sandbox.provision(provision_order()), Approved)


async def test_the_books_are_bounded(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "VOUCHERS_KEPT_MAX", 3)
    monkeypatch.setattr(book, "IDS_KEPT_MAX", 3)
    first = await sandbox.confirmed(request_id=str(uuid.uuid4()))
    await sandbox.redeemed(first.code)
    for _ in range(5):
        await sandbox.issued(request_id=str(uuid.uuid4()))
        await sandbox.raw("POST", f"/vouchers/{uuid.uuid4()}/reverse", {"adviceId": str(uuid.uuid4()), "reason": "X"})
    totals = await sandbox.totals()
    assert (totals["vouchers"], totals["evicted"], totals["tombstones"], totals["redemptions"]) == (3, 3, 3, 0)
    assert len(sandbox.simulator.provider.book.by_code) == 3
    assert len(sandbox.simulator.provider.book.by_number) == 3
