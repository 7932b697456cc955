"""SOAP over the HTTP transport: envelopes and tokens against the standards and an independent client, answers read for
what they prove, and one exchange per call."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
import zeep.helpers
import zeep.transports
import zeep.wsse.username
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from providers.provider_support import R1, Heard, raw_server
from voucherswitch.message.marks import Shown
from voucherswitch.message.trace import LegOutcome, Trace
from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.connector import Call
from voucherswitch.providers.contract.settings import read_settings
from voucherswitch.providers.contract.transport import soap
from voucherswitch.providers.contract.transport.http import HttpAnswer, HttpTransport
from voucherswitch.providers.contract.transport.results import NoAnswer
from voucherswitch.providers.contract.transport.xml import Markup, Unwritable, leaf, own_text
from voucherswitch.providers.contract.transport.xml_masking import XmlMask
from voucherswitch.providers.netcare import messages
from voucherswitch.providers.netcare.settings import NetcareSettings
from voucherswitch.providers.netcare.simulator import PASSWORD, USERNAME, start
from voucherswitch.providers.netcare.simulator.provider import PATH

ZEEP: Any = zeep  # it has no types
SERVICE = soap.Service("/service", "urn:x", "x")
NONCE = bytes(range(16))
CREATED = "2026-03-02T12:15:16.000Z"
PIN = "4820193746551928"


def envelope_of(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{soap.SOAP}" xmlns:x="urn:x"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def read(body: bytes, status: int = 200) -> Any:
    return soap.read(HttpAnswer(status, body), "{urn:x}SaleResponse")


# Tokens


@given(st.text("abcXYZ019!-~ é", min_size=1, max_size=30))
def test_the_token_is_the_one_that_an_independent_client_makes(password: str) -> None:
    created = datetime(2026, 3, 2, 12, 15, 16, tzinfo=UTC)
    theirs = etree.Element("Envelope")
    ZEEP.wsse.username.UsernameToken("u", password, created=created, use_digest=True, zulu_timestamp=True).apply(
        theirs, {}
    )
    values = {etree.QName(part).localname: part.text or "" for part in theirs.iter()}
    nonce = base64.b64decode(values["Nonce"])
    assert len(nonce) == soap.NONCE_BYTES
    assert values["Password"] == soap.password_digest(nonce, values["Created"], password)
    security = soap.username_token("u", password, nonce, values["Created"])
    ours = etree.fromstring(soap.envelope(SERVICE, Markup("<x:Sale/>"), security))
    path = f".//{{{soap.SECEXT}}}UsernameToken"
    mine, other = ours.find(path), theirs.find(path)
    assert mine is not None
    assert other is not None
    assert {part.tag: part.text for part in mine} == {part.tag: part.text for part in other}
    assert [dict(part.items()) for part in mine] == [dict(part.items()) for part in other]


def test_a_token_is_well_formed_whatever_the_name_holds() -> None:
    token = soap.username_token("<&>", "p", NONCE, CREATED)
    root = etree.fromstring(soap.envelope(SERVICE, Markup("<x:Sale/>"), token))
    username = root.find(f".//{{{soap.SECEXT}}}Username")
    assert username is not None
    assert username.text == "<&>"


def test_what_xml_cannot_hold_is_unwritable() -> None:
    token = soap.username_token("u", "p", NONCE, CREATED)
    with pytest.raises(Unwritable):
        soap.envelope(SERVICE, leaf("x:Sale", "\x00"), token)


# Answers


def test_the_one_element_of_the_body_is_the_answer() -> None:
    found = read(envelope_of("<x:SaleResponse>1</x:SaleResponse>"))
    assert own_text(found) == "1"
    other = (
        f'<Envelope xmlns="{soap.SOAP}"><Header/><Body><SaleResponse xmlns="urn:x">1</SaleResponse></Body></Envelope>'
    )
    assert own_text(read(other.encode())) == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"<Envelope><Body><x/></Body></Envelope>",
        f'<s:Envelope xmlns:s="{soap.SOAP}"/>'.encode(),
        envelope_of(""),
        envelope_of("text"),
        envelope_of("<x:SaleResponse/><x:SaleResponse/>"),
        envelope_of("<x:Other/>"),
        envelope_of("<SaleResponse/>"),
        envelope_of("<Fault/>"),
        envelope_of("<x:SaleResponse/>").replace(b"</s:Body>", b"</s:Body><s:Body/>"),
        envelope_of("<x:SaleResponse/>").replace(soap.SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope"),
        b"<!DOCTYPE x>" + envelope_of("<x:SaleResponse/>"),
        envelope_of("<x:SaleResponse>&e;</x:SaleResponse>"),
        envelope_of("<a>" * 40 + "</a>" * 40),
        envelope_of("<x:SaleResponse/>").decode().encode("utf-16"),
    ],
)
def test_anything_else_is_a_bad_answer(body: bytes) -> None:
    for status in (200, 500):
        with pytest.raises(BadAnswer):
            read(body, status)


def test_a_success_needs_its_status() -> None:
    for status in (201, 202, 302, 500, 503):
        with pytest.raises(BadAnswer, match="status"):
            read(envelope_of("<x:SaleResponse/>"), status)


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_a_fault_is_a_fault_under_every_status(status: int) -> None:
    fault = read(
        envelope_of(
            "<s:Fault><faultcode>s:C</faultcode><faultstring>No</faultstring><detail><x:D/></detail></s:Fault>"
        ),
        status,
    )
    assert isinstance(fault, soap.Fault)
    assert fault.text == "No"
    assert fault.detail is not None
    assert [part.tag for part in fault.detail] == ["{urn:x}D"]
    bare = read(envelope_of("<s:Fault/>"), status)
    assert bare == soap.Fault(None, None)


@given(st.binary(max_size=300), st.sampled_from([200, 500]))
def test_any_bytes_are_an_answer_or_a_finding(body: bytes, status: int) -> None:
    for whole in (body, envelope_of("") + body, envelope_of("@").replace(b"@", body)):
        try:
            read(whole, status)
        except BadAnswer:
            continue


# One exchange


@asynccontextmanager
async def a_service(url: str, **settings: object) -> AsyncIterator[soap.SoapTransport]:
    given = {"base_url": url, "username": "the-user", "password": "the-password"} | settings
    typed = read_settings(NetcareSettings, "netcare", given)
    http = HttpTransport("netcare", typed, XmlMask({"username": Shown.HIDDEN, "nonce": Shown.HIDDEN}))
    try:
        yield soap.SoapTransport(http, SERVICE, typed.username, typed.password)
    finally:
        await http.close()


def a_call() -> Call:
    return Call(trace=Trace(), deadline=time.monotonic() + 20)


async def test_one_message_goes_out_and_its_record_shows_no_secret() -> None:
    async def behave(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        body = envelope_of(f"<x:SaleResponse><x:Pin>{PIN}</x:Pin></x:SaleResponse>")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    async with raw_server(behave) as server, a_service(server.url) as service:
        call = a_call()
        body = leaf("x:Sale", f"seven {PIN}")
        answer = await service.send(call, "provision", "Sale", body, nonce=NONCE, now=1_772_453_716, secrets=(PIN,))
    assert isinstance(answer, HttpAnswer)
    assert own_text(read(answer.body)[0]) == PIN
    heard = server.heard[0]
    assert (heard.line, heard.header("soapaction")) == ("POST /service HTTP/1.1", '"urn:x/Sale"')
    assert heard.header("content-type") == "text/xml; charset=utf-8"
    assert f"<wsu:Created>{CREATED}</wsu:Created>".encode() in heard.body
    (leg,) = call.trace.legs
    shown = leg.request + (leg.response or "")
    digest = soap.password_digest(NONCE, CREATED, "the-password")
    secrets = (PIN, "the-user", "the-password", digest, base64.b64encode(NONCE).decode())
    assert [secret for secret in secrets if secret in shown] == []
    assert "seven ***" in shown


async def test_an_answer_in_single_bytes_is_whole_and_a_cut_one_is_none() -> None:
    body = envelope_of("<x:SaleResponse>1</x:SaleResponse>")
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def behave(heard: Heard, writer: asyncio.StreamWriter) -> bool:
        end = len(whole) if heard.connection == 0 else len(whole) - 1
        for place in range(end):
            writer.write(whole[place : place + 1])
            await writer.drain()
        return False

    async with raw_server(behave) as server, a_service(server.url) as service:
        answer = await service.send(a_call(), "provision", "Sale", Markup("<x:Sale/>"), nonce=NONCE, now=0)
        assert isinstance(answer, HttpAnswer)
        assert own_text(read(answer.body)) == "1"
        call = a_call()
        cut = await service.send(call, "provision", "Sale", Markup("<x:Sale/>"), nonce=NONCE, now=0)
        assert isinstance(cut, NoAnswer)
        assert call.trace.legs[0].outcome is LegOutcome.NO_ANSWER
        assert len(server.heard) == 2


async def test_an_unwritable_message_is_not_sent() -> None:
    async def behave(_heard: Heard, _writer: asyncio.StreamWriter) -> bool:
        return False

    async with raw_server(behave) as server, a_service(server.url) as service:
        call = a_call()
        with pytest.raises(Unwritable):
            await service.send(call, "provision", "Sale", leaf("x:Sale", "\x07"), nonce=NONCE, now=0)
        assert (server.heard, call.trace.legs) == ([], [])


# An independent client, built from the simulator's own description


class OurToken:
    """Puts the header that we write into an envelope that zeep writes."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.used = 0

    def apply(self, envelope: Any, headers: Any) -> Any:
        self.used += 1
        created = soap.created_text(self.now)
        token = soap.username_token(USERNAME, PASSWORD, self.used.to_bytes(16, "big"), created)
        ours = etree.fromstring(soap.envelope(SERVICE, Markup("<x:y/>"), token))
        header = ours.find(f"{{{soap.SOAP}}}Header")
        assert header is not None
        envelope.insert(0, header)
        return envelope, headers

    def verify(self, envelope: Any) -> Any:
        return envelope


@pytest.fixture
def http_session() -> Iterator[requests.Session]:
    with closing(requests.Session()) as session:
        session.trust_env = False
        yield session


async def test_zeep_speaks_with_the_simulator_and_writes_what_we_write(http_session: requests.Session) -> None:
    issue = {
        "ClientReference": R1,
        "ServiceCode": "GP-CONSULT-1",
        "Quantity": 1,
        "PriceCents": 10_000,
        "SiteCode": "S001",
        "TenderReference": "SLIP-000123",
        "TenderType": "CASH",
        "TenderedCents": 10_000,
    }

    def talk(address: str) -> dict[str, Any]:
        token = OurToken(simulator.frame.clock.now())
        transport = ZEEP.transports.Transport(session=http_session)
        client = ZEEP.Client(f"{address}{PATH}?wsdl", transport=transport, wsse=token)
        issued = client.service.IssueVoucher(**issue)
        confirm = {key: issued[key] for key in ("ClientReference", "NetcareReference", "VoucherNumber")}
        said: dict[str, Any] = {
            "issued": ZEEP.helpers.serialize_object(issued, dict),
            "confirmed": client.service.ConfirmVoucher(**confirm)["Status"],
            "found": client.service.GetVoucherByNumber(issued["VoucherNumber"])["Status"],
            "services": [service["ServiceCode"] for service in client.service.GetServiceCatalogue()],
            "cancelled": client.service.CancelVoucher(ClientReference=R1, Reason="TIMEOUT")["Status"],
            "message": client.create_message(client.service, "IssueVoucher", **issue),
        }
        with pytest.raises(zeep.exceptions.Fault) as refused:
            client.service.IssueVoucher(**issue)
        said["fault"] = refused.value
        return said

    async with start() as simulator:
        said = await asyncio.to_thread(talk, simulator.url)
    assert (said["issued"]["VoucherNumber"], said["issued"]["Status"]) == ("7KM4QX9TB2HV", "ISSUED")
    assert (said["confirmed"], said["found"], said["cancelled"]) == ("ACTIVE", "ACTIVE", "CANCELLED")
    assert said["services"][0] == "GP-CONSULT-1"
    assert said["fault"].code == "soap:Client"
    assert said["fault"].detail.findtext(".//{urn:sim:netcare:voucher:1}Code") == "NV-1409"

    service = soap.Service(PATH, messages.NAMESPACE, messages.PREFIX)
    body = messages.issue_voucher(
        reference=R1,
        service="GP-CONSULT-1",
        price_cents=10_000,
        site="S001",
        tender_reference="SLIP-000123",
        tender_type="CASH",
        tendered_cents=10_000,
        msisdn=None,
    )
    ours = etree.fromstring(soap.envelope(service, body, Markup("")))
    theirs = said["message"]
    path = f"{{{soap.SOAP}}}Body/{{{messages.NAMESPACE}}}IssueVoucher"
    mine, other = ours.find(path), theirs.find(path)
    assert mine is not None
    assert [(part.tag, part.text) for part in mine] == [(part.tag, part.text) for part in other]
    assert (ours.tag, mine.tag) == (theirs.tag, other.tag)
