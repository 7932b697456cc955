"""Ordered faults of the common frame (providers.md B.12), seen from the socket and from the connector."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from providers.provider_support import A1, R1, R2, advice_order, an_id, http, lookup_order, status_order, until
from providers.sandbox_support import Sandbox, provision_order
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined, NotSent, OutcomeUnknown, Pending
from voucherswitch.providers.contract.simulator.faults import FAULTS_MAX, Fault
from voucherswitch.providers.contract.simulator.wire import REQUEST_BYTES_MAX
from voucherswitch.providers.contract.simulator.wires import PIPELINED_MAX

PROVISION = {
    "requestId": R1,
    "productId": "SBXANY",
    "amountCents": 10_000,
    "currency": "ZAR",
    "store": "S001",
    "terminal": "TERM0001",
}


# On the socket


async def opened(sandbox: Sandbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", sandbox.simulator.frame.listener.port)


def request_bytes(method: str = "POST", path: str = "/vouchers", body: object = PROVISION, more: str = "") -> bytes:
    content = b"" if body is None else msgspec.json.encode(body)
    head = f"{method} /sandbox/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer example-sandbox-key\r\n{more}"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    return int(head.split()[1]), await reader.readexactly(length)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
async def test_a_drop_closes_without_a_byte(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind)
    reader, writer = await opened(sandbox)
    writer.write(request_bytes())
    assert await reader.read() == b""
    writer.close()
    assert (await sandbox.totals())["vouchers"] == (1 if kind == "drop_after" else 0)


@pytest.mark.parametrize("kind", ["rst_before", "rst_after"])
async def test_a_reset_is_a_tcp_reset(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind)
    reader, writer = await opened(sandbox)
    writer.write(request_bytes())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    assert (await sandbox.totals())["vouchers"] == (1 if kind == "rst_after" else 0)


async def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(sandbox: Sandbox) -> None:
    await sandbox.fault("delay", op="provision", params={"ms": 20})
    reader, writer = await opened(sandbox)
    writer.write(
        request_bytes() + request_bytes("GET", f"/vouchers/{R1}", None) + request_bytes("GET", "/products", None)
    )
    assert [(await answer_of(reader))[0] for _ in range(3)] == [201, 200, 200]
    writer.write(request_bytes("GET", "/products", None)[:20])
    await writer.drain()
    writer.write(request_bytes("GET", "/products", None)[20:])
    assert (await answer_of(reader))[0] == 200
    writer.close()


async def test_a_client_that_says_close_is_closed(sandbox: Sandbox) -> None:
    reader, writer = await opened(sandbox)
    writer.write(request_bytes(more="Connection: close\r\n"))
    assert (await answer_of(reader))[0] == 201
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * REQUEST_BYTES_MAX + b"\r\n\r\n", b"413"),
        (request_bytes(body={"x": "y" * REQUEST_BYTES_MAX}), b"413"),
        (request_bytes("GET", "/products", None) * (PIPELINED_MAX + 3), b"503"),
    ],
    ids=["no HTTP", "long head", "long body", "many at once"],
)
async def test_what_is_too_much_or_not_http_is_refused_and_closed(sandbox: Sandbox, sent: bytes, status: bytes) -> None:
    if status == b"503":
        await sandbox.fault("hang_before")
    reader, writer = await opened(sandbox)
    writer.write(sent)
    with suppress(ConnectionResetError):  # closed with bytes unread, so the refusal may be overtaken
        assert (await reader.read()).split()[1] == status
    writer.close()


async def test_a_split_answer_comes_in_its_pieces(sandbox: Sandbox) -> None:
    await sandbox.fault("split", params={"sizes": [5, 7], "gapMs": 1})
    answer = await http(
        "POST",
        f"{sandbox.simulator.url}/sandbox/v1/vouchers",
        msgspec.json.encode(PROVISION),
        {"Authorization": "Bearer example-sandbox-key"},
    )
    assert (answer.status, answer.json["requestId"]) == (201, R1)


async def test_refused_connections_are_accepted_again_after_their_time(sandbox: Sandbox) -> None:
    """Idle connections go too, so that every client has to connect anew."""
    assert isinstance(await sandbox.provision(), Approved)
    await sandbox.fault("refuse_connect", params={"ms": 150})
    outcome = await sandbox.provision(request_id=R2)
    # A request may meet the connection as it closes: then nothing is proved, and nothing was processed either.
    assert isinstance(outcome, NotSent | OutcomeUnknown)
    outcome = await sandbox.provision(request_id=R2)
    assert isinstance(outcome, NotSent)
    assert outcome.provider_message is not None
    assert "refused" in outcome.provider_message
    await until(lambda: sandbox.simulator.frame.listener.listening)
    assert isinstance(await sandbox.provision(request_id=R2), Approved)
    assert (await sandbox.totals())["vouchers"] == 2


# Which request gets a fault


async def test_faults_skip_count_match_and_fire_in_their_order(sandbox: Sandbox) -> None:
    await sandbox.fault("http", op="provision", skip=1, times=2, params={"status": 500})
    await sandbox.fault("http", op="POST /vouchers", times=1, params={"status": 502})
    await sandbox.fault("http", match={"reference": an_id(9)}, times=0, params={"status": 504})
    ids = [an_id(n) for n in (1, 2, 3, 4, 9, 9)]
    statuses = [(await sandbox.raw("POST", "/vouchers", PROVISION | {"requestId": one})).status for one in ids]
    # The first passes the skipping fault and gets the second one.
    assert statuses == [502, 500, 500, 201, 504, 504]
    journal = await sandbox.journal()
    assert [entry["faultId"] for entry in journal] == ["F2", "F1", "F1", None, "F3", "F3"]
    assert [fault["faultId"] for fault in (await sandbox.control("GET", "/faults")).json] == ["F3"]
    assert (await sandbox.control("DELETE", "/faults")).status == 204
    assert (await sandbox.raw("POST", "/vouchers", PROVISION | {"requestId": an_id(9)})).status == 201


async def test_a_fault_of_another_operation_waits(sandbox: Sandbox) -> None:
    await sandbox.fault("http", op="confirm", params={"status": 500})
    assert isinstance(await sandbox.provision(), Approved)
    assert isinstance(await sandbox.connector.confirm(advice_order(), sandbox.call()), Pending)
    assert await sandbox.connector.confirm(advice_order(), sandbox.call()) == Acknowledged()


async def test_ordered_faults_come_before_scripts(sandbox: Sandbox) -> None:
    await sandbox.fault("decline", op="provision", params={"code": "LIMIT_EXCEEDED"})
    assert isinstance(await sandbox.provision(product="SBXGARBAGE"), Declined)
    assert isinstance(await sandbox.provision(product="SBXGARBAGE"), OutcomeUnknown)
    assert [entry["faultId"] for entry in await sandbox.journal()] == ["F1", "script"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "late", "op": "provisions"},
        {"kind": "late", "param": {}},
        {"kind": "late", "params": {"milliseconds": 5}},
        {"kind": "late", "params": {"ms": -5}},
        {"kind": "late", "match": {"requestId": "x"}},
        {"kind": "late", "times": -1},
        {"kind": "split", "params": {"sizes": [0]}},
        {},
    ],
)
async def test_a_fault_that_would_never_fire_is_refused(sandbox: Sandbox, fault: dict[str, Any]) -> None:
    answer = await sandbox.control("POST", "/faults", fault)
    assert answer.status == 400
    assert answer.json["error"]


async def test_faults_are_bounded(sandbox: Sandbox) -> None:
    for _ in range(FAULTS_MAX):
        sandbox.simulator.frame.faults.add(Fault("late"))
    assert (await sandbox.control("POST", "/faults", {"kind": "late"})).status == 409


# What each kind does to the connector


async def test_a_delay_processes_later_and_late_at_once(sandbox: Sandbox) -> None:
    for kind, sold in (("delay", 0), ("late", 1)):
        sandbox.simulator.frame.reset()
        await sandbox.fault(kind, params={"ms": 5_000})
        async with sandbox.in_flight(sandbox.provision()) as pending:
            await sandbox.heard("provision")
            assert (await sandbox.totals())["vouchers"] == sold
            await sandbox.advance(5_000)
            assert isinstance(await pending, Approved)


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
async def test_a_hang_is_unknown(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind)
    outcome = await sandbox.impatient().provision(provision_order(), sandbox.call())
    assert outcome == OutcomeUnknown(provider_message="no complete answer in time")
    assert (await sandbox.totals())["vouchers"] == (1 if kind == "hang_after" else 0)
    entry = (await sandbox.journal())[0]
    assert (entry["processed"], entry["status"]) == (kind == "hang_after", None)


@pytest.mark.parametrize("kind", ["malformed", "truncate", "oversize"])
@pytest.mark.parametrize("processed", [True, False])
async def test_a_spoilt_body_is_unknown_and_alerts(sandbox: Sandbox, kind: str, processed: bool) -> None:
    await sandbox.fault(kind, params={"processed": processed})
    outcome = await sandbox.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert (await sandbox.totals())["vouchers"] == (1 if processed else 0)


@pytest.mark.parametrize("size", [0, 1, 300])
async def test_a_body_cut_at_any_place_is_unknown(sandbox: Sandbox, size: int) -> None:
    await sandbox.fault("truncate", params={"bytes": size})
    outcome = await sandbox.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"


async def test_an_answer_at_the_bound_is_read_and_one_beyond_is_not(sandbox: Sandbox) -> None:
    await sandbox.fault("oversize", params={"bytes": 65_536})
    assert isinstance(await sandbox.provision(), Approved)
    await sandbox.fault("oversize", params={"bytes": 65_537})
    outcome = await sandbox.provision(request_id=R2)
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.provider_message == "the answer is larger than 65536 bytes"


@pytest.mark.parametrize("kind", ["wrong_amount", "wrong_reference", "no_pin", "bad_pin"])
async def test_an_answer_about_something_else_is_unknown_and_alerts(sandbox: Sandbox, kind: str) -> None:
    await sandbox.fault(kind, op="provision")
    outcome = await sandbox.provision()
    assert isinstance(outcome, OutcomeUnknown)
    assert outcome.alert == "bad_answer"
    assert isinstance(await sandbox.connector.status(status_order(), sandbox.call()), Approved)


async def test_a_wrong_amount_is_off_by_what_was_ordered(sandbox: Sandbox) -> None:
    await sandbox.fault("wrong_amount", params={"deltaCents": -500})
    answer = await sandbox.raw("POST", "/vouchers", PROVISION)
    assert answer.json["voucher"]["valueCents"] == 9_500
    assert (await sandbox.state(reference=R1))["valueCents"] == 10_000


async def test_a_refusal_is_not_spoilt(sandbox: Sandbox) -> None:
    for kind in ("wrong_amount", "wrong_reference", "no_pin", "bad_pin"):
        await sandbox.fault(kind)
        assert isinstance(await sandbox.provision(product="SBXDECLINE01"), Declined)


async def test_an_http_fault_answers_as_ordered(sandbox: Sandbox) -> None:
    body = {"error": {"code": "DO_NOT_HONOUR"}}
    await sandbox.fault("http", params={"status": 422, "body": body, "processed": True})
    outcome = await sandbox.provision()
    assert isinstance(outcome, Declined)
    assert (await sandbox.totals())["vouchers"] == 1
    await sandbox.fault("http", params={"status": 418, "body": "tea"})
    answer = await sandbox.raw("GET", "/products")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (418, b"tea", "text/plain")


async def test_a_reset_of_the_simulator_ends_what_was_due(sandbox: Sandbox) -> None:
    await sandbox.fault("late", params={"ms": 5_000})
    async with sandbox.in_flight(sandbox.provision()) as pending:
        await sandbox.heard("provision")
        assert (await sandbox.control("POST", "/reset")).status == 204
        assert isinstance(await pending, OutcomeUnknown)
    assert await sandbox.journal() == []
    voucher = await sandbox.issued()
    assert voucher.serial_number == "SX00000001"


async def test_faults_meet_lookups_and_products_too(sandbox: Sandbox) -> None:
    await sandbox.issued()
    await sandbox.fault("drop_before", op="lookup")
    order = lookup_order(provision_id=R1)
    assert isinstance(await sandbox.connector.lookup(order, sandbox.call()), OutcomeUnknown)
    assert isinstance(await sandbox.connector.lookup(order, sandbox.call()), Approved)
    await sandbox.fault("malformed", op="products")
    assert isinstance(await sandbox.connector.products(sandbox.call()), OutcomeUnknown)
    await sandbox.fault("drop_before", op="products")
    assert isinstance(await sandbox.connector.products(sandbox.call()), OutcomeUnknown)


async def test_an_advice_answered_for_another_one_stays_queued(sandbox: Sandbox) -> None:
    await sandbox.issued()
    await sandbox.fault("wrong_reference", op="confirm")
    result = await sandbox.connector.confirm(advice_order(), sandbox.call(advice_id=A1))
    assert isinstance(result, Pending)
    assert result.alert == "bad_answer"
    assert sandbox.legs[-1].advice_id == A1


async def test_a_slow_answer_takes_its_time(sandbox: Sandbox) -> None:
    await sandbox.fault("slow_bytes", params={"ms": 120})
    started = time.monotonic()
    assert isinstance(await sandbox.provision(), Approved)
    assert time.monotonic() - started > 0.1
