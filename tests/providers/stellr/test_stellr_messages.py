"""Stellr's messages against the specification's samples (section 1.3), and its simulator against a wrong client."""

import asyncio

import pytest

from providers.pair_support import Pair
from providers.provider_support import R1, R2, SAMPLE_TIME, STORE, Heard, an_id, raw_server
from providers.stellr.stellr_support import (
    ALREADY_REDEEMED,
    FIRST_PIN,
    FIRST_SERIAL,
    FIRST_TRANSACTION,
    PURCHASE,
    PURCHASED,
    a_redemption,
    a_sale,
    raw,
    result_code,
    sold,
)
from voucherswitch.message.codes import ErrorType
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.providers.contract.alerts import MESSAGE_REFUSED
from voucherswitch.providers.stellr import messages, translate
from voucherswitch.providers.stellr.connector import connect

AUTH = messages.auth("T0000042", "VSW", "example-stellr-password")
HEAD = messages.Head(AUTH, R1, "20260302141516")


def test_the_sample_purchase_is_made_byte_for_byte() -> None:
    assert translate.time_text(1_772_453_716) == "20260302141516"
    assert translate.purchase_body(a_sale(), HEAD, "S001") == PURCHASE
    assert len(PURCHASE) == 369


async def test_the_connector_sends_the_samples_head_and_body() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PURCHASED), PURCHASED))
        return False

    async with raw_server(behave) as server:
        settings = {"base_url": server.url, "terminal_id": "T0000042", "channel_id": "VSW", "default_outlet": "S001"}
        connector = connect("stellr", settings | {"password": "example-stellr-password"})
        pair = Pair(None, connector, connect, settings)  # type: ignore[arg-type]
        outcome = await connector.provision(a_sale(), pair.call())
        await connector.close()
    heard = server.heard[0]
    assert heard.line == "POST /voucher-gateway/v2/process HTTP/1.1"
    assert (heard.header("content-type"), heard.header("content-length")) == ("application/xml; charset=UTF-8", "369")
    start, rest = heard.body.split(b"<RequestDateTime>")
    assert start == PURCHASE.split(b"<RequestDateTime>")[0]
    assert rest[14:] == PURCHASE.split(b"<RequestDateTime>")[1][14:]
    assert outcome == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=Voucher(
            code=FIRST_PIN,
            serial_number=FIRST_SERIAL,
            expires_at="2029-03-02T21:59:59.000Z",
            instructions=("Enter the PIN in your account.",),
        ),
        provider_ref=FIRST_TRANSACTION,
        refs={"TransactionId": FIRST_TRANSACTION, "Serial": FIRST_SERIAL},
    )
    assert FIRST_PIN not in repr(pair.legs)


async def test_the_simulator_answers_the_sample_byte_for_byte(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME)
    answer = await raw(stellr, PURCHASE)
    assert (answer.status, answer.body) == (200, PURCHASED)
    assert answer.headers["content-type"] == "application/xml; charset=UTF-8"
    assert answer.headers["date"] == "Mon, 02 Mar 2026 12:15:16 GMT"
    await stellr.world(FIRST_PIN, "REDEEM")
    redeem = messages.redeem_request(messages.Head(AUTH, R2, "20260302141516"), FIRST_PIN, "100.00", "S001", "TERM0001")
    assert (await raw(stellr, redeem)).body == ALREADY_REDEEMED


def test_the_other_requests_have_their_fields_in_order() -> None:
    start = b'Request version="2.0">' + PURCHASE.split(b'Request version="2.0">')[1].split(b"\n<ProductCode>")[0]
    assert translate.products_body(HEAD) == b"<ProductList" + start + b"</ProductListRequest>"
    by_pin = translate.enquiry_body(LookupOrder(voucher_code=FIRST_PIN), HEAD)
    assert by_pin == b"<VoucherEnquiry" + start + b"\n<Pin>300400500600</Pin></VoucherEnquiryRequest>"
    by_serial = translate.enquiry_body(LookupOrder(serial_number=FIRST_SERIAL), HEAD)
    assert by_serial == b"<VoucherEnquiry" + start + b"\n<Serial>700000000001</Serial></VoucherEnquiryRequest>"
    fields = b"\n<Pin>300400500600</Pin><Amount>100.00</Amount><Currency>ZAR</Currency><StoreId>S001</StoreId>"
    redeem = translate.redeem_body(a_redemption(), HEAD, "S001")
    assert redeem == b"<Redeem" + start + fields + b"<TillId>TERM0001</TillId></RedeemRequest>"


def test_an_enquiry_asks_by_what_stellr_can_find() -> None:
    """A request id is not among it; a voucher that is a link is called by its serial."""
    refs = {"Serial": FIRST_SERIAL}
    assert translate.enquiry_body(LookupOrder(provision_id=R1), HEAD) is None
    for order in (LookupOrder(provision_id=R1, refs=refs), LookupOrder(voucher_code=FIRST_SERIAL, refs=refs)):
        assert b"<Serial>700000000001</Serial>" in (translate.enquiry_body(order, HEAD) or b"")
    assert b"<Pin>300400500600</Pin>" in (
        translate.enquiry_body(LookupOrder(voucher_code=FIRST_PIN, refs=refs), HEAD) or b""
    )


async def test_a16_pin_hyphens_are_inserted(stellr: Pair) -> None:
    """The hyphens are a part of the PIN: who types it without them means the same voucher."""
    voucher = await sold(stellr, product="MUSC0060", amount_cents=6_000)
    assert voucher.code == "7KM4-QX9T-B2HV-3N5P"
    typed = voucher.code.replace("-", "")
    found = await stellr.connector.lookup(LookupOrder(voucher_code=typed), stellr.call())
    assert isinstance(found, Approved)
    assert (found.approved_cents, found.voucher_state) == (6_000, "ACTIVE")
    redeemed = await stellr.connector.redeem(a_redemption(typed, amount_cents=6_000), stellr.call())
    assert isinstance(redeemed, Approved)
    assert (await stellr.state(code=voucher.code))["state"] == "REDEEMED"
    assert not any(secret in repr(stellr.legs) for secret in (typed, voucher.code))


def test_only_a_whole_a16_pin_gets_hyphens() -> None:
    assert translate.pin_text("7KM4QX9TB2HV3N5P") == "7KM4-QX9T-B2HV-3N5P"
    for code in ("7KM4-QX9T-B2HV-3N5P", "300400500600", "7KM4QX9TB2HV3N5", "7KM4QX9TB2HV3N5O", ""):
        assert translate.pin_text(code) == code


async def test_a_url_product_is_called_by_its_serial_and_shows_its_link(stellr: Pair) -> None:
    voucher = await sold(stellr, product="LINK0200", amount_cents=20_000)
    link = (await stellr.state(reference=R1))["code"]
    assert voucher == Voucher(
        code=FIRST_SERIAL,
        serial_number=FIRST_SERIAL,
        expires_at=voucher.expires_at,
        instructions=("Open the link to use the voucher.", link),
    )
    assert link.startswith("https://")
    assert "<RedeemUrl>***</RedeemUrl>" in (stellr.legs[-1].response or "")
    asked = LookupOrder(voucher_code=FIRST_SERIAL, refs={"Serial": FIRST_SERIAL})
    found = await stellr.connector.lookup(asked, stellr.call())
    assert isinstance(found, Approved)
    assert found.approved_cents == 20_000


async def test_control_characters_are_refused_before_sending(stellr: Pair) -> None:
    """XML 1.0 cannot hold them, so there is no message that would ask for this."""
    connector = stellr.with_settings(default_outlet="S001")
    store = Store(merchant_id="m", terminal_id="TERM\x00001")
    refused = NotSent(
        ErrorType.GENERAL_ERROR,
        provider_message="the request has a character that XML cannot hold",
        alert=MESSAGE_REFUSED,
    )
    assert await connector.provision(a_sale(store=store), stellr.call()) == refused
    assert await connector.redeem(a_redemption(store=store), stellr.call()) == refused
    assert await connector.provision(a_sale(product="\x1b"), stellr.call()) == refused
    assert await connector.provision(a_sale(product="\ud800"), stellr.call()) == refused
    assert await connector.lookup(LookupOrder(serial_number="\x01"), stellr.call()) == refused
    assert await stellr.journal() == []
    assert stellr.legs == []


async def test_markup_in_a_field_stays_text(stellr: Pair) -> None:
    store = Store(merchant_id=STORE.merchant_id, terminal_id="<T&'\"]]>")
    await sold(stellr, store=store)
    _, content = await stellr.recon(await stellr.today())
    assert b"<T&'\"]]>" in content


async def test_nothing_is_sent_for_what_stellr_could_never_take(stellr: Pair) -> None:
    connector = stellr.connector
    nowhere = Store(merchant_id="unknown", terminal_id="T")
    routing = NotSent(ErrorType.ROUTING_ERROR)
    assert await connector.provision(a_sale(store=nowhere), stellr.call()) == routing
    assert await connector.provision(a_sale(product=""), stellr.call()) == routing
    assert await connector.redeem(a_redemption(store=nowhere), stellr.call()) == routing
    amount = Declined(ErrorType.INVALID_AMOUNT)
    assert await connector.provision(a_sale(currency="840"), stellr.call()) == amount
    assert await connector.provision(a_sale(amount_cents=0), stellr.call()) == amount
    assert await connector.redeem(a_redemption(amount_cents=0), stellr.call()) == amount
    voucher = Declined(ErrorType.INVALID_VOUCHER)
    for code in ("30040050060", "3004005006000", "7KM4-QX9T-B2HV", "O" * 16, " 300400500600", ""):
        assert await connector.redeem(a_redemption(code), stellr.call()) == voucher
        assert await connector.lookup(LookupOrder(voucher_code=code), stellr.call()) == voucher
    asked = await connector.lookup(LookupOrder(provision_id=R1), stellr.call())
    assert asked == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)
    assert await stellr.journal() == []


# The simulator is strict


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"T0000042", b"T0000043", "401"),
        (b"VSW", b"vsw", "401"),
        (b"example-stellr-password", b"example-stellr-passwore", "401"),
        (b' channelId="VSW"', b"", "401"),
        (b' channelId="VSW"', b' channelId="VSW" more="x"', "401"),
        (b'<Auth terminalId="T0000042" channelId="VSW" password="example-stellr-password"/>', b"", "401"),
        (b'version="2.0"', b'version="2.1"', "501"),
        (b'version="2.0"', b"", "501"),
        (b' version="2.0"', b' version="2.0" xmlns="urn:x"', "401"),
        (b"<Currency>ZAR</Currency>", b"", "501"),
        (b"<Currency>ZAR</Currency>", b"<Currency>USD</Currency>", "501"),
        (b"<Amount>100.00</Amount>", b"<Amount>100</Amount>", "501"),
        (b"<Amount>100.00</Amount>", b"<Amount>100.00</Amount><Amount>100.00</Amount>", "501"),
        (b"20260302141516", b"20261302141516", "501"),
        (
            b"<StoreId>S001</StoreId><TillId>TERM0001</TillId>",
            b"<TillId>TERM0001</TillId><StoreId>S001</StoreId>",
            "501",
        ),
        (b"TERM0001", b"TERM000112345", "501"),
        (b"GAME0100", b"GAME01000", "501"),
        (b"GAME0100", b"GAME0101", "101"),
        (b"S001", b"S999", "105"),
        (b"100.00", b"100.01", "102"),
        (b"</PurchaseRequest>", b"", "501"),
        (b"<PurchaseRequest", b"<!DOCTYPE x><PurchaseRequest", "501"),
    ],
)
async def test_2_the_simulator_refuses_the_sample_with_a_byte_changed(
    stellr: Pair, old: bytes, new: bytes, code: str
) -> None:
    assert old in PURCHASE
    assert result_code(await raw(stellr, PURCHASE.replace(old, new))) == code
    assert (await stellr.state())["vouchers"] == 0
    assert result_code(await raw(stellr, PURCHASE.replace(R1.encode(), an_id(1).encode()))) == "000"


async def test_only_the_http_layer_answers_with_another_status(stellr: Pair) -> None:
    assert (await raw(stellr, PURCHASE, path="/other")).status == 404
    assert (await raw(stellr, PURCHASE, content_type=b"text/xml")).status == 415
    assert (await stellr.state())["vouchers"] == 0


@pytest.mark.parametrize(
    ("product", "cents", "code"),
    [
        ("STORE001", 999, "102"),
        ("STORE001", 1_000, "000"),
        ("STORE001", 500_000, "000"),
        ("STORE001", 500_001, "102"),
        ("EMPTY001", 5_000, "103"),
        ("EMPTY001", 5_001, "102"),
        ("HALT0001", 10_000, "104"),
        ("MUSC0060", 6_000, "000"),
        ("LINK0200", 20_000, "000"),
    ],
)
async def test_the_fixtures(stellr: Pair, product: str, cents: int, code: str) -> None:
    body = translate.purchase_body(a_sale(product=product, amount_cents=cents), HEAD, "S001")
    assert result_code(await raw(stellr, body)) == code


async def test_the_float_is_used_up_by_sales(stellr: Pair) -> None:
    await stellr.control("POST", "/float", {"cents": 10_000})
    await sold(stellr)
    outcome = await stellr.connector.provision(a_sale(request_id=R2), stellr.call())
    assert isinstance(outcome, NotSent)
    assert (outcome.error_type, outcome.provider_code) == (ErrorType.DO_NOT_HONOUR, "110")


async def test_pins_and_serials_count_up_from_the_samples(stellr: Pair) -> None:
    vouchers = [await sold(stellr, request_id=an_id(number)) for number in range(3)]
    assert [voucher.code for voucher in vouchers] == ["300400500600", "300400500601", "300400500602"]
    assert [voucher.serial_number for voucher in vouchers] == ["700000000001", "700000000002", "700000000003"]
    stellr.simulator.frame.reset()
    assert (await sold(stellr)).code == FIRST_PIN


async def test_the_echo_tells_the_simulators_time(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME)
    start = PURCHASE.split(b"\n<ProductCode>")[0].replace(b"<PurchaseRequest", b"<EchoRequest")
    answer = await raw(stellr, start + b"</EchoRequest>")
    assert b"<ServerDateTime>20260302141516</ServerDateTime></EchoResponse>" in answer.body


def test_settings_name_the_wrong_key() -> None:
    settings = {"base_url": "http://127.0.0.1:1", "terminal_id": "T" * 17, "channel_id": "V", "password": "p"}
    with pytest.raises(ValueError, match=r"providers\.stellr\.terminal_id: .*1 to 16 characters"):
        connect("stellr", settings)
    with pytest.raises(ValueError, match=r"providers\.stellr\.password is missing"):
        connect("stellr", {"base_url": "http://127.0.0.1:1", "terminal_id": "T", "channel_id": "V"})


async def test_products_without_what_is_not_available(stellr: Pair) -> None:
    listed = await stellr.connector.products(stellr.call())
    assert isinstance(listed, tuple)
    assert {product.product for product in listed} == {"GAME0100", "MUSC0060", "STORE001", "LINK0200", "HALT0001"}
    store = next(product for product in listed if product.product == "STORE001")
    assert (store.fixed, store.min_cents, store.max_cents) == (False, 1_000, 500_000)
