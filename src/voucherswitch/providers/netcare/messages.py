"""Netcare's messages as XML (providers.md 2.2, 2.3, Proposed): what goes into a SOAP body, in the protocol's order.

The line breaks are those of the protocol's samples.
"""

from typing import Final

from voucherswitch.message.marks import (
    MASKED_LAST_FOUR,
    NEVER_KEPT,
    PROTOCOL_WORD,
    QUOTED,
    SEALED,
    plain,
    wire_fields,
)
from voucherswitch.providers.contract.transport.xml import LINE_BREAK, NOTHING, Markup, element, leaf

NAMESPACE: Final = "urn:sim:netcare:voucher:1"
PREFIX: Final = "nv"

FIELDS: Final = wire_fields(
    "Service ServiceFault ClientReference NetcareReference Quantity PriceCents TenderReference TenderType TenderedCents"
    " Status ValidTo Suspended Created",
    UsernameToken=plain("only holds the next four"),
    Username=NEVER_KEPT,
    Password=NEVER_KEPT,
    Nonce=NEVER_KEPT,
    VoucherNumber=SEALED,
    Msisdn=MASKED_LAST_FOUR,
    SiteCode=plain("a shop's"),
    ServiceCode=plain("a product's"),
    Description=plain("a product's"),
    Code=PROTOCOL_WORD,  # of a fault
    Message=QUOTED,
    faultcode=plain("a word of SOAP"),
    faultstring=QUOTED,
    Reason=plain("a word of ours"),
)

CATALOGUE: Final = "GetServiceCatalogue"
ISSUE: Final = "IssueVoucher"
CONFIRM: Final = "ConfirmVoucher"
CANCEL: Final = "CancelVoucher"
BY_NUMBER: Final = "GetVoucherByNumber"


def name(local: str) -> str:
    """A name of the protocol with its namespace, as answers are searched for it."""
    return f"{{{NAMESPACE}}}{local}"


def get_catalogue() -> Markup:
    return element(f"{PREFIX}:{CATALOGUE}")


def issue_voucher(
    *,
    reference: str,
    service: str,
    price_cents: int,
    site: str,
    tender_reference: str,
    tender_type: str,
    tendered_cents: int,
    msisdn: str | None,
) -> Markup:
    return element(
        f"{PREFIX}:{ISSUE}",
        _field("ClientReference", reference),
        _field("ServiceCode", service),
        LINE_BREAK,
        _field("Quantity", "1"),
        _field("PriceCents", str(price_cents)),
        _field("SiteCode", site),
        _field("TenderReference", tender_reference),
        LINE_BREAK,
        _field("TenderType", tender_type),
        _field("TenderedCents", str(tendered_cents)),
        NOTHING if msisdn is None else _field("Msisdn", msisdn),
    )


def confirm_voucher(reference: str, netcare_reference: str, number: str) -> Markup:
    return element(
        f"{PREFIX}:{CONFIRM}",
        _field("ClientReference", reference),
        _field("NetcareReference", netcare_reference),
        _field("VoucherNumber", number),
    )


def cancel_voucher(reference: str, number: str | None, reason: str) -> Markup:
    return element(
        f"{PREFIX}:{CANCEL}",
        _field("ClientReference", reference),
        NOTHING if number is None else _field("VoucherNumber", number),
        _field("Reason", reason),
    )


def get_voucher_by_number(number: str) -> Markup:
    return element(f"{PREFIX}:{BY_NUMBER}", _field("VoucherNumber", number))


def _field(local: str, text: str) -> Markup:
    return leaf(f"{PREFIX}:{local}", text)
