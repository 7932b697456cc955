"""The samples of providers.md 8.3 and 8.6, byte for byte, from both sides of the wire."""

import asyncio
from datetime import datetime

import pytest

from providers.bluvoucher.blu_support import (
    AUTHENTICATED,
    AUTHENTICATION,
    FIRST_PIN,
    GET_VOUCHER,
    GOT_VOUCHER,
    SOLD,
    SOLD_VOUCHER,
    SPEND,
    SPENT_ALREADY,
    Blu,
    advice_order,
    provision_order,
    redeem_order,
)
from providers.line_support import HeardLine, line_server
from providers.provider_support import A1, R1, SAMPLE_TIME, Heard, RawAnswer, http, raw_server
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.outcomes import Acknowledged, Approved, Declined
from voucherswitch.message.parties import Voucher
from voucherswitch.providers.bluvoucher.settings import bluvoucher_settings
from voucherswitch.providers.bluvoucher.trade_connector import TradeConnector

SALE_BODY = (
    b'{"requestId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","productId":"BLU","amount":10000,"vendMetaData":'
    b'{"transactionRequestDateTime":"2026-03-02T14:15:16+02:00","consumerAccountNumber":"S001"}}'
)
SOLD_BODY = (
    b'{"requestId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","reference":"TR0000000001","token":"1000200030004000",'
    b'"amount":10000,"serialNumber":"BS00000001","expiryDateTime":"2029-03-02T23:59:59+02:00",'
    b'"productInstructions":"Redeem at a partner site"}'
)
VOUCHER = Voucher(code=FIRST_PIN, serial_number="BS00000001", expires_at="2029-03-02T21:59:59.000Z")


def test_the_worked_example_has_its_length() -> None:
    assert len(GET_VOUCHER) + 1 == 211
    assert len(SALE_BODY) == 190


async def test_the_connector_sends_the_samples_and_understands_their_answers(blu: Blu) -> None:
    answers = {AUTHENTICATION: AUTHENTICATED, GET_VOUCHER: GOT_VOUCHER, SOLD_VOUCHER: SOLD}

    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[heard.line.decode()].encode() + b"\n")

    async with line_server(behave) as server:
        connector = blu.with_settings(port=server.port)
        outcome = await connector.provision(provision_order(), blu.call())
        assert outcome == Approved(
            approved_cents=10_000,
            balance_cents=10_000,
            voucher=VOUCHER,
            provider_ref="BT0000000001",
            refs={"TransRef": "BT0000000001"},
        )
        assert isinstance(outcome, Approved)
        confirmed = await connector.confirm(advice_order(refs=outcome.refs), blu.call(advice_id=A1))
        assert confirmed == Acknowledged()
        assert [heard.line.decode() for heard in server.heard] == [AUTHENTICATION, GET_VOUCHER, SOLD_VOUCHER]
        assert [heard.connection for heard in server.heard] == [0, 0, 1]


async def test_the_connector_sends_the_sample_of_a_spend(blu: Blu) -> None:
    async def behave(heard: HeardLine, writer: asyncio.StreamWriter) -> None:
        authenticating = heard.line.decode() == AUTHENTICATION
        answer = AUTHENTICATED.replace("S-000001", "S-000002") if authenticating else SPENT_ALREADY
        writer.write(answer.encode() + b"\n")

    async with line_server(behave) as server:
        outcome = await blu.with_settings(port=server.port).redeem(redeem_order(), blu.call())
        assert outcome == Declined(ErrorType.VOUCHER_ALREADY_REDEEMED, "761", "Voucher already spent")
        assert server.heard[1].line.decode() == SPEND


async def test_the_simulator_answers_the_samples(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    async with blu.line() as line:
        assert await line.ask(AUTHENTICATION) == AUTHENTICATED
        assert await line.ask(GET_VOUCHER) == GOT_VOUCHER
    async with blu.line() as line:
        assert await line.ask(SOLD_VOUCHER) == SOLD
    async with blu.line() as line:
        assert await line.ask(AUTHENTICATION) == AUTHENTICATED.replace("S-000001", "S-000002")
        first = await line.ask(SPEND.replace("c2d47e08", "00000000"))
        assert "<EventCode>0</EventCode>" in first
        assert "<SpendRef>BX0000000001</SpendRef><Amount>100.00</Amount><SpentAt>2026-03-02 14:15:1" in first
        assert await line.ask(SPEND) == SPENT_ALREADY


@pytest.mark.parametrize("place", range(0, len(GET_VOUCHER), 7))
async def test_the_simulator_refuses_a_sample_with_one_byte_changed(blu: Blu, place: int) -> None:
    """Part D, check 2. A change in a value that may be anything of its shape is another request, not a wrong one."""
    changed = GET_VOUCHER[:place] + "!" + GET_VOUCHER[place + 1 :]
    async with blu.line() as line:
        await line.ask(AUTHENTICATION)
        answer = await line.ask(changed)
        assert "<EventCode>1</EventCode>" in answer
        assert (await blu.totals())["vouchers"] == 0


async def test_the_trade_sample_is_sent_and_its_answer_understood(blu: Blu) -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(SOLD_BODY)
        writer.write(head + SOLD_BODY)

    async with raw_server(behave) as server:
        settings = {
            "mode": "trade",
            "base_url": server.url,
            "api_key": "example-apikey",
            "api_user": "sim-trade",
            "api_password": "example-trade-password",
            "default_outlet": "S001",
        }
        now = datetime.fromisoformat(SAMPLE_TIME)
        connector = TradeConnector("blu", bluvoucher_settings("blu", settings), now=lambda: now)
        outcome = await connector.provision(provision_order(), blu.call())
        await connector.close()
        heard = server.heard[0]
    assert heard.line == "POST /v2/trade/voucher/variable/sales HTTP/1.1"
    assert heard.body == SALE_BODY
    headers = {name: heard.header(name) for name in ("apikey", "authorization", "content-type", "content-length")}
    assert headers == {
        "apikey": "example-apikey",
        "authorization": "Basic c2ltLXRyYWRlOmV4YW1wbGUtdHJhZGUtcGFzc3dvcmQ=",
        "content-type": "application/json",
        "content-length": "190",
    }
    assert heard.header("trade-vend-channel") is None
    assert outcome == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=Voucher(VOUCHER.code, None, VOUCHER.serial_number, VOUCHER.expires_at, ("Redeem at a partner site",)),
        provider_ref="TR0000000001",
    )


async def test_the_simulator_answers_the_trade_sample(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    answer = await trade_call(blu, SALE_BODY)
    assert (answer.status, answer.body) == (201, SOLD_BODY)
    assert (await blu.state(reference=R1))["state"] == "ACTIVE"


@pytest.mark.parametrize(
    "body",
    [
        SALE_BODY.replace(b"5f3a", b"5f3!"),
        SALE_BODY.replace(b"10000,", b"10000.5,"),
        SALE_BODY.replace(b'"productId"', b'"ProductId"'),
        SALE_BODY.replace(b"T14:15", b"T99:15"),
        SALE_BODY[:-1],
        b"",
    ],
)
async def test_the_simulator_refuses_another_trade_body(blu: Blu, body: bytes) -> None:
    assert (await trade_call(blu, body)).status == 400
    assert (await blu.totals())["vouchers"] == 0


@pytest.mark.parametrize("header", ["apikey", "Authorization"])
async def test_the_simulator_refuses_other_trade_credentials(blu: Blu, header: str) -> None:
    assert (await trade_call(blu, SALE_BODY, **{header: "x"})).status == 401
    assert (await blu.totals())["vouchers"] == 0


async def trade_call(blu: Blu, body: bytes, **more: str) -> RawAnswer:
    headers = {
        "apikey": "example-apikey",
        "Authorization": "Basic c2ltLXRyYWRlOmV4YW1wbGUtdHJhZGUtcGFzc3dvcmQ=",
        "Content-Type": "application/json",
    } | more
    return await http("POST", f"{blu.simulator.trade_url}/v2/trade/voucher/variable/sales", body, headers)
