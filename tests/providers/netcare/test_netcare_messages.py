"""Netcare's messages against the specification's samples (section 2.3), and its simulator against a wrong client."""

import asyncio

import pytest

from providers.netcare.netcare_support import (
    FIRST_NUMBER,
    FIRST_REFERENCE,
    ISSUE,
    ISSUED,
    PRICE_FAULT,
    SAMPLE_EPOCH,
    SAMPLE_NONCE,
    SERVICE,
    a_sale,
    an_advice,
    an_envelope,
    connector_of,
    fault_code,
    looked_up,
    raw,
    sold,
)
from providers.pair_support import Pair
from providers.provider_support import R1, R2, SAMPLE_TIME, Heard, an_id, http, raw_server
from voucherswitch.message.codes import ErrorType, ReversalReason
from voucherswitch.message.orders import LookupOrder
from voucherswitch.message.outcomes import Approved, Declined, NotSent, Pending
from voucherswitch.message.parties import Store, Tender, Voucher
from voucherswitch.providers.contract.alerts import FLOAT_EXHAUSTED, MESSAGE_REFUSED
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.contract.transport import soap
from voucherswitch.providers.netcare import messages, translate
from voucherswitch.providers.netcare.connector import NetcareConnector, connect
from voucherswitch.providers.netcare.settings import NetcareSettings
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME

CATALOGUE = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:sim:netcare:voucher:1"><s:Body>'
    b"<GetServiceCatalogueResponse><Service><ServiceCode>GP-CONSULT-1</ServiceCode><PriceCents>10000</PriceCents>"
    b"<Suspended>false</Suspended></Service></GetServiceCatalogueResponse></s:Body></s:Envelope>"
)


def test_the_worked_example_of_the_digest() -> None:
    assert soap.created_text(SAMPLE_EPOCH) == "2026-03-02T12:15:16.000Z"
    digest = soap.password_digest(SAMPLE_NONCE, "2026-03-02T12:15:16.000Z", "example-netcare-password")
    assert digest == "BgIDOkZQ8WSFdrYviC1Vd5lOqk8="


def test_the_sample_issue_is_made_byte_for_byte() -> None:
    token = soap.username_token(USERNAME, PASSWORD, SAMPLE_NONCE, soap.created_text(SAMPLE_EPOCH))
    assert soap.envelope(SERVICE, translate.issue_body(a_sale(), "S001"), token) == ISSUE
    assert len(ISSUE) == 1264


async def test_the_connector_sends_the_samples_head_and_body() -> None:
    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = CATALOGUE if b"GetServiceCatalogue" in heard.body else ISSUED
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with raw_server(behave) as server:
        settings = {"base_url": server.url, "username": USERNAME, "password": PASSWORD, "default_outlet": "S001"}
        typed = read_settings(NetcareSettings, "netcare", settings)
        connector = NetcareConnector("netcare", typed, now=lambda: SAMPLE_EPOCH)
        pair = Pair(None, connector, connect, settings)  # type: ignore[arg-type]
        outcome = await connector.provision(a_sale(), pair.call())
        await connector.close()
    asked, issued = server.heard
    assert asked.header("soapaction") == '"urn:sim:netcare:voucher:1/GetServiceCatalogue"'
    assert issued.line == "POST /services/VoucherService HTTP/1.1"
    assert issued.header("content-type") == "text/xml; charset=utf-8"
    assert issued.header("soapaction") == '"urn:sim:netcare:voucher:1/IssueVoucher"'
    assert issued.header("content-length") == "1264"
    # Only the nonce and the digest that comes of it are another's.
    for old, new in zip(ISSUE.split(b"\n"), issued.body.split(b"\n"), strict=True):
        assert old == new or b"<wsse:Password" in new or b"<wsse:Nonce" in new
    assert asked.body.split(b"<wsse:Nonce")[1][:150] != issued.body.split(b"<wsse:Nonce")[1][:150]
    assert outcome == Approved(
        approved_cents=10_000,
        balance_cents=10_000,
        voucher=Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE, expires_at="2027-03-02T21:59:59.000Z"),
        provider_ref=FIRST_REFERENCE,
        refs={"NetcareReference": FIRST_REFERENCE},
    )
    shown = repr(pair.legs)
    assert [secret for secret in (FIRST_NUMBER, PASSWORD, USERNAME) if secret in shown] == []
    assert pair.legs[1].request.count(">***<") == 3


async def test_2_the_simulator_takes_the_sample_at_its_time_and_answers_it_byte_for_byte(netcare: Pair) -> None:
    await netcare.at(SAMPLE_TIME)
    answer = await raw(netcare, ISSUE)
    assert (answer.status, answer.body) == (200, ISSUED)
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    other = messages.issue_voucher(
        reference=R2,
        service="GP-CONSULT-1",
        price_cents=10_001,
        site="S001",
        tender_reference="SLIP-000123",
        tender_type="CASH",
        tendered_cents=10_001,
        msisdn=None,
    )
    refused = await raw(netcare, an_envelope(netcare, other))
    assert (refused.status, refused.body) == (500, PRICE_FAULT)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"sim-netcare", b"sim-netcarf", "NV-1401"),
        (b"BgIDOkZQ", b"BgIDOkZR", "NV-1401"),
        (b"ABEiM0RV", b"ABEiM0RW", "NV-1401"),
        (b"16.000Z", b"16.001Z", "NV-1401"),
        (b"16.000Z", b"16Z", "NV-1401"),
        (b"#PasswordDigest", b"#PasswordText", "NV-1401"),
        (b"#Base64Binary", b"#HexBinary", "NV-1401"),
        (b'soap:mustUnderstand="1" ', b"", "NV-1401"),
        (b"secext-1.0", b"secext-1.1", "NV-1401"),
        (b"soap:Header>", b"soap:Headed>", "NV-1401"),
        (b"/soap/envelope/", b"/soap/envelopes/", "NV-1401"),
        (b"voucher:1", b"voucher:2", "NV-1400"),
        (b"IssueVoucher>", b"Issue>", "NV-1400"),
        (b"IssueVoucher>", b"ConfirmVoucher>", "NV-1402"),
        (b"<nv:Quantity>1<", b"<nv:Quantity>2<", "NV-1400"),
        (b"<nv:Quantity>1</nv:Quantity>", b"", "NV-1400"),
        (b"<nv:PriceCents>10000<", b"<nv:PriceCents>100.00<", "NV-1400"),
        (b"<nv:TenderType>CASH<", b"<nv:TenderType>cash<", "NV-1400"),
        (b"</nv:SiteCode>", b"</nv:SiteCode><nv:More>1</nv:More>", "NV-1400"),
        (b"</nv:IssueVoucher>", b"<nv:Msisdn>082</nv:Msisdn></nv:IssueVoucher>", "NV-1400"),
        (b"</soap:Body>", b"", "NV-1401"),
        (b"<soap:Envelope", b"<!DOCTYPE x><soap:Envelope", "NV-1401"),
        (b"S001", b"S999", "NV-1005"),
        (b"GP-CONSULT-1", b"GP-CONSULT-2", "NV-1001"),
        (b"<nv:TenderReference>SLIP-000123</nv:TenderReference>", b"", "NV-1004"),
        (b"<nv:TenderType>CASH</nv:TenderType>", b"", "NV-1004"),
        (b"<nv:TenderedCents>10000</nv:TenderedCents>", b"", "NV-1004"),
        (b"<nv:TenderedCents>10000<", b"<nv:TenderedCents>9999<", "NV-1004"),
        (b"<nv:PriceCents>10000<", b"<nv:PriceCents>9999<", "NV-1004"),
    ],
)
async def test_2_the_simulator_refuses_the_sample_with_a_byte_changed(
    netcare: Pair, old: bytes, new: bytes, code: str
) -> None:
    await netcare.at(SAMPLE_TIME)
    assert old in ISSUE
    answer = await raw(netcare, ISSUE.replace(old, new))
    assert (answer.status, fault_code(answer)) == (500, code)
    assert (await netcare.state())["vouchers"] == 0


async def test_a_nonce_is_good_for_one_message(netcare: Pair) -> None:
    """The same bytes again are told by their nonce; in another message they would have another."""
    await netcare.at(SAMPLE_TIME)
    assert (await raw(netcare, ISSUE)).status == 200
    again = await raw(netcare, ISSUE)
    assert (again.status, fault_code(again)) == (500, "NV-1403")
    assert (await netcare.state(reference=R1))["vouchers"] == 1
    body = messages.get_catalogue()
    nonce = b"n" * 16
    assert (await raw(netcare, an_envelope(netcare, body, nonce=nonce), "GetServiceCatalogue")).status == 200
    await netcare.advance(290_000)
    assert fault_code(await raw(netcare, an_envelope(netcare, body, nonce=nonce), "GetServiceCatalogue")) == "NV-1403"
    await netcare.advance(600_000)
    assert (await raw(netcare, an_envelope(netcare, body, nonce=nonce), "GetServiceCatalogue")).status == 200


async def test_a_refused_token_does_not_use_up_its_nonce(netcare: Pair) -> None:
    body, nonce = messages.get_catalogue(), b"n" * 16
    stale = an_envelope(netcare, body, nonce=nonce, age_s=301)
    assert fault_code(await raw(netcare, stale, "GetServiceCatalogue")) == "NV-1401"
    assert (await raw(netcare, an_envelope(netcare, body, nonce=nonce), "GetServiceCatalogue")).status == 200


@pytest.mark.parametrize(("age_s", "code"), [(298, None), (-298, None), (302, "NV-1401"), (-302, "NV-1401")])
async def test_a_stale_created_is_refused(netcare: Pair, age_s: int, code: str | None) -> None:
    answer = await raw(netcare, an_envelope(netcare, messages.get_catalogue(), age_s=age_s), "GetServiceCatalogue")
    assert fault_code(answer) == code


async def test_the_soap_action_must_agree(netcare: Pair) -> None:
    body = an_envelope(netcare, messages.get_catalogue())
    assert fault_code(await raw(netcare, body, "IssueVoucher")) == "NV-1402"
    body = an_envelope(netcare, messages.get_catalogue())
    headers = {"Content-Type": soap.CONTENT_TYPE, "SOAPAction": "urn:sim:netcare:voucher:1/GetServiceCatalogue"}
    unquoted = await http("POST", f"{netcare.simulator.url}{SERVICE.path}", body, headers)
    assert fault_code(unquoted) == "NV-1402"


async def test_only_the_http_layer_answers_without_an_envelope(netcare: Pair) -> None:
    assert (await raw(netcare, ISSUE, path="/other")).status == 404
    assert (await raw(netcare, ISSUE, content_type="application/soap+xml")).status == 415
    assert (await http("GET", f"{netcare.simulator.url}{SERVICE.path}")).status == 405


# Advices and lookups


async def test_the_other_messages_have_their_fields_in_order() -> None:
    voucher = Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE)
    start = f"<nv:ClientReference>{R1}</nv:ClientReference>"
    number = f"<nv:VoucherNumber>{FIRST_NUMBER}</nv:VoucherNumber>"
    assert translate.confirm_body(an_advice(voucher)) == (
        f"<nv:ConfirmVoucher>{start}<nv:NetcareReference>{FIRST_REFERENCE}</nv:NetcareReference>{number}"
        "</nv:ConfirmVoucher>"
    )
    assert translate.cancel_body(an_advice(voucher)) == (
        f"<nv:CancelVoucher>{start}{number}<nv:Reason>TIMEOUT</nv:Reason></nv:CancelVoucher>"
    )
    assert translate.cancel_body(an_advice(reason=None)) == (
        f"<nv:CancelVoucher>{start}<nv:Reason>CANCELLED</nv:Reason></nv:CancelVoucher>"
    )
    for reason in ReversalReason:
        assert f"<nv:Reason>{reason}</nv:Reason>" in translate.cancel_body(an_advice(reason=reason))
    assert messages.get_catalogue() == "<nv:GetServiceCatalogue/>"
    assert messages.get_voucher_by_number("X") == (
        "<nv:GetVoucherByNumber><nv:VoucherNumber>X</nv:VoucherNumber></nv:GetVoucherByNumber>"
    )


async def test_a_confirmation_finds_the_reference_in_the_serial_and_needs_the_number(netcare: Pair) -> None:
    voucher = Voucher(code=FIRST_NUMBER, serial_number=FIRST_REFERENCE)
    assert FIRST_REFERENCE in (translate.confirm_body(an_advice(voucher, refs={})) or "")
    for order in (an_advice(), an_advice(voucher, voucher_code=None), an_advice(Voucher(code=FIRST_NUMBER))):
        result = await netcare.connector.confirm(order, netcare.call())
        assert result == Pending("not sent: the voucher's number or reference is not known")
    assert await netcare.journal() == []


@pytest.mark.parametrize(
    ("number", "possible"),
    [
        ("7KM4QX9TB2HV", True),
        ("7KM4QX9TB2HW", False),
        ("8KM4QX9TB2HV", False),
        ("7KM4QX9TB2H", False),
        ("7KM4QX9TB2HVV", False),
        ("7km4qx9tb2hv", False),
        ("7KM4QX9TB2H1", False),
        ("IKM4QX9TB2HV", False),
        ("", False),
    ],
)
async def test_an_impossible_number_is_not_asked_about(netcare: Pair, number: str, possible: bool) -> None:
    assert translate.is_number(number, connector_of(netcare)._rules.pin_pattern) is possible
    outcome = await netcare.connector.lookup(LookupOrder(voucher_code=number), netcare.call())
    assert isinstance(outcome, Declined)
    assert outcome.error_type is ErrorType.INVALID_VOUCHER
    assert len(await netcare.journal()) == possible


async def test_only_a_number_finds_a_voucher(netcare: Pair) -> None:
    order = LookupOrder(serial_number=FIRST_REFERENCE, provision_id=R1, refs={"NetcareReference": FIRST_REFERENCE})
    outcome = await netcare.connector.lookup(order, netcare.call())
    assert outcome == Declined(ErrorType.FUNCTION_NOT_SUPPORTED)


# What never leaves


async def test_nothing_is_sent_for_what_netcare_could_never_take(netcare: Pair) -> None:
    connector = netcare.connector
    routing = NotSent(ErrorType.ROUTING_ERROR)
    nowhere = Store(merchant_id="unknown", terminal_id="T")
    assert await connector.provision(a_sale(store=nowhere), netcare.call()) == routing
    assert await connector.provision(a_sale(product=""), netcare.call()) == routing
    amount = Declined(ErrorType.INVALID_AMOUNT)
    assert await connector.provision(a_sale(currency="840"), netcare.call()) == amount
    assert await connector.provision(a_sale(amount_cents=0), netcare.call()) == amount
    assert await netcare.journal() == []


async def test_control_characters_are_refused_before_sending(netcare: Pair) -> None:
    refused = NotSent(
        ErrorType.GENERAL_ERROR,
        provider_message="the request has a character that XML cannot hold",
        alert=MESSAGE_REFUSED,
    )
    tender = Tender(type="CASH", amount_cents=10_000, currency="710", reference="SLIP\x00")
    assert await netcare.connector.provision(a_sale(tenders=(tender,)), netcare.call()) == refused
    assert await netcare.journal(op="provision") == []
    advice = await netcare.connector.reverse(an_advice(request_id="a\x01"), netcare.call())
    assert advice == Pending("the advice has a character that XML cannot hold", MESSAGE_REFUSED)
    assert await netcare.journal(op="reverse") == []


async def test_markup_in_a_field_stays_text(netcare: Pair) -> None:
    tender = Tender(type="CASH", amount_cents=10_000, currency="710", reference="</a>&<b \"'>]]>")
    await sold(netcare, tenders=(tender,))
    assert "&lt;/a&gt;&amp;&lt;b" in netcare.legs[-1].request


async def test_a_recipient_is_passed_on_when_it_is_one(netcare: Pair) -> None:
    await sold(netcare, msisdn="27825550143")
    assert "<nv:Msisdn>***0143</nv:Msisdn>" in netcare.legs[-1].request
    await sold(netcare, request_id=R2, msisdn="0825550143")
    assert "Msisdn" not in netcare.legs[-1].request


# The simulator's fixtures


@pytest.mark.parametrize(
    ("service", "cents"),
    [("GP-CONSULT-1", 10_000), ("GP-MEDS-1", 45_000), ("DENTAL-CHECK", 60_000), ("OPTO-EXAM", 52_000)],
)
async def test_the_services_at_their_prices(netcare: Pair, service: str, cents: int) -> None:
    tender = Tender(type="CASH", amount_cents=cents, currency="710", reference="1")
    await sold(netcare, product=service, amount_cents=cents, tenders=(tender,))


async def test_a_suspended_service_is_not_sold(netcare: Pair) -> None:
    tender = Tender(type="CASH", amount_cents=30_000, currency="710", reference="1")
    order = a_sale(product="OLD-SERVICE", amount_cents=30_000, tenders=(tender,))
    outcome = await netcare.connector.provision(order, netcare.call())
    assert outcome == NotSent(ErrorType.DO_NOT_HONOUR, "NV-1003", "Service suspended")


async def test_the_credit_is_used_up_by_sales_and_given_back(netcare: Pair) -> None:
    await netcare.control("POST", "/float", {"cents": 10_000})
    voucher = await sold(netcare)
    refused = await netcare.connector.provision(a_sale(request_id=R2), netcare.call())
    assert refused == NotSent(ErrorType.DO_NOT_HONOUR, "NV-1006", "Credit limit reached", FLOAT_EXHAUSTED)
    await netcare.connector.reverse(an_advice(voucher), netcare.call())
    assert (await netcare.state())["floatCents"] == 10_000


async def test_numbers_and_references_count_up_from_the_samples(netcare: Pair) -> None:
    vouchers = [await sold(netcare, request_id=an_id(number)) for number in range(3)]
    assert [voucher.code[:-1] for voucher in vouchers] == ["7KM4QX9TB2H", "7KM4QX9TB2J", "7KM4QX9TB2K"]
    pattern = connector_of(netcare)._rules.pin_pattern
    assert all(translate.is_number(voucher.code, pattern) for voucher in vouchers)
    assert [voucher.serial_number for voucher in vouchers] == ["NV0000000001", "NV0000000002", "NV0000000003"]
    netcare.simulator.frame.reset()
    assert (await sold(netcare)).code == FIRST_NUMBER


async def test_a_voucher_sold_elsewhere_can_be_looked_up(netcare: Pair) -> None:
    answer = await netcare.control("POST", "/vouchers", {"valueCents": 10_000})
    assert await looked_up(netcare, answer.json["code"]) == (10_000, "ACTIVE")


def test_settings_name_the_wrong_key() -> None:
    settings = {"base_url": "http://127.0.0.1:1", "username": "u"}
    with pytest.raises(ValueError, match=r"providers\.netcare\.password is missing"):
        connect("netcare", settings)
    with pytest.raises(ValueError, match=r"providers\.netcare\.username"):
        connect("netcare", settings | {"password": "p", "username": "a b"})
    typed = read_settings(NetcareSettings, "netcare", settings | {"password": "p"})
    assert (typed.connect_timeout_ms, typed.read_timeout_ms, typed.total_timeout_ms) == (3_000, 20_000, 22_000)
