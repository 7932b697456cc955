"""What Netcare's tests share: orders with the samples' values, and raw messages past the connector."""

import os
from typing import Any

import msgspec

from providers.pair_support import Pair
from providers.provider_support import A1, R1, STORE, RawAnswer, http, voucher_of
from voucherswitch.message.codes import ReversalReason
from voucherswitch.message.orders import AdviceOrder, LookupOrder, ProvisionOrder
from voucherswitch.message.outcomes import Approved, Outcome
from voucherswitch.message.parties import Tender, Voucher
from voucherswitch.providers.contract.simulator.running import RunningSimulator
from voucherswitch.providers.contract.transport import soap
from voucherswitch.providers.contract.transport.xml import Markup
from voucherswitch.providers.netcare import messages
from voucherswitch.providers.netcare.connector import NetcareConnector
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME
from voucherswitch.providers.netcare.simulator.provider import PATH

FIRST_NUMBER = "7KM4QX9TB2HV"
FIRST_REFERENCE = "NV0000000001"
SAMPLE_EPOCH = 1_772_453_716
SAMPLE_NONCE = bytes.fromhex("00112233445566778899aabbccddeeff")
CASH = Tender(type="CASH", amount_cents=10_000, currency="710", reference="SLIP-000123")
SERVICE = soap.Service(PATH, messages.NAMESPACE, messages.PREFIX)

ISSUE = b"""\
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:nv="urn:sim:netcare:voucher:1">
<soap:Header><wsse:Security soap:mustUnderstand="1" \
xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
 xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">\
<wsse:UsernameToken><wsse:Username>sim-netcare</wsse:Username>
<wsse:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest">\
BgIDOkZQ8WSFdrYviC1Vd5lOqk8=</wsse:Password>
<wsse:Nonce EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0\
#Base64Binary">ABEiM0RVZneImaq7zN3u/w==</wsse:Nonce>
<wsu:Created>2026-03-02T12:15:16.000Z</wsu:Created></wsse:UsernameToken></wsse:Security></soap:Header>
<soap:Body><nv:IssueVoucher><nv:ClientReference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</nv:ClientReference>\
<nv:ServiceCode>GP-CONSULT-1</nv:ServiceCode>
<nv:Quantity>1</nv:Quantity><nv:PriceCents>10000</nv:PriceCents><nv:SiteCode>S001</nv:SiteCode>\
<nv:TenderReference>SLIP-000123</nv:TenderReference>
<nv:TenderType>CASH</nv:TenderType><nv:TenderedCents>10000</nv:TenderedCents></nv:IssueVoucher></soap:Body>\
</soap:Envelope>"""

ISSUED = b"""\
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:nv="urn:sim:netcare:voucher:1"><soap:Body>\
<nv:IssueVoucherResponse>
<nv:ClientReference>5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13</nv:ClientReference>\
<nv:NetcareReference>NV0000000001</nv:NetcareReference><nv:VoucherNumber>7KM4QX9TB2HV</nv:VoucherNumber>
<nv:ServiceCode>GP-CONSULT-1</nv:ServiceCode><nv:ServiceDescription>GP consultation, one visit\
</nv:ServiceDescription><nv:PriceCents>10000</nv:PriceCents>
<nv:ValidFrom>2026-03-02</nv:ValidFrom><nv:ValidTo>2027-03-02</nv:ValidTo><nv:Status>ISSUED</nv:Status>\
</nv:IssueVoucherResponse></soap:Body></soap:Envelope>"""

PRICE_FAULT = b"""\
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>\
<faultcode>soap:Client</faultcode>
<faultstring>Price does not match the catalogue</faultstring><detail>\
<nv:ServiceFault xmlns:nv="urn:sim:netcare:voucher:1"><nv:Code>NV-1002</nv:Code>
<nv:Message>Expected 10000</nv:Message><nv:Retryable>false</nv:Retryable></nv:ServiceFault></detail></soap:Fault>\
</soap:Body></soap:Envelope>"""


def settings_of(simulator: RunningSimulator) -> dict[str, object]:
    return {
        "base_url": simulator.url,
        "username": USERNAME,
        "password": PASSWORD,
        "outlet_map": {STORE.merchant_id: "S001"},
    }


def connector_of(pair: Pair) -> NetcareConnector:
    assert isinstance(pair.connector, NetcareConnector)
    return pair.connector


def a_sale(**changes: Any) -> ProvisionOrder:
    order = ProvisionOrder(
        request_id=R1, amount_cents=10_000, currency="710", product="GP-CONSULT-1", store=STORE, tenders=(CASH,)
    )
    return msgspec.structs.replace(order, **changes)


def an_advice(voucher: Voucher | None = None, **changes: Any) -> AdviceOrder:
    """An advice about R1; `voucher`: as its sale brought it, None: its outcome was unknown."""
    order = AdviceOrder(
        advice_id=A1,
        request_id=R1,
        reason=ReversalReason.TIMEOUT,
        voucher_code=None if voucher is None else voucher.code,
        serial_number=None if voucher is None else voucher.serial_number,
        refs={} if voucher is None else {"NetcareReference": voucher.serial_number or ""},
    )
    return msgspec.structs.replace(order, **changes)


async def sold(pair: Pair, **changes: Any) -> Voucher:
    """A voucher that exists and is not confirmed."""
    return voucher_of(await pair.connector.provision(a_sale(**changes), pair.call()))


async def active(pair: Pair) -> Voucher:
    """A voucher that is confirmed."""
    voucher = await sold(pair)
    await pair.connector.confirm(an_advice(voucher), pair.call(advice_id=A1))
    return voucher


async def looked_up(pair: Pair, number: str = FIRST_NUMBER) -> tuple[int, str | None]:
    """What a voucher is worth, and its state."""
    found: Outcome = await pair.connector.lookup(LookupOrder(voucher_code=number), pair.call())
    assert isinstance(found, Approved), found
    return found.approved_cents, found.voucher_state


def an_envelope(pair: Pair, body: Markup, *, nonce: bytes | None = None, age_s: float = 0) -> bytes:
    """A message whose token is right at the simulator's time."""
    created = soap.created_text(pair.simulator.frame.clock.now() - age_s)
    token = soap.username_token(USERNAME, PASSWORD, nonce or os.urandom(16), created)
    return soap.envelope(SERVICE, body, token)


async def raw(
    pair: Pair, body: bytes, action: str = "IssueVoucher", *, content_type: str = soap.CONTENT_TYPE, path: str = PATH
) -> RawAnswer:
    """A message past our connector."""
    headers = {"Content-Type": content_type, "SOAPAction": f'"urn:sim:netcare:voucher:1/{action}"'}
    return await http("POST", pair.simulator.url + path, body, headers)


def fault_code(answer: RawAnswer) -> str | None:
    """The code of a fault; None: it is none."""
    if b"Fault>" not in answer.body:
        return None
    return answer.body.split(b"Code>")[1].split(b"<")[0].decode()
