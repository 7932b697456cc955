"""Flash's recon file -> typed records (providers.md 9.6): the layout is Documented by a public client. Pure.

`recon_<yyyyMMdd>.csv`: UTF-8, semicolons, a header row, no trailer, South African time to the minute, rand with four
decimals. Metadata is JSON, quoted as CSV quotes. A replacement carries `_R1`, `_R2` before the extension. Without a
trailer nothing in the file tells that whole lines are missing; matching does.
"""

import csv
import re
from datetime import date
from typing import Final

import msgspec

from voucherswitch.providers.contract.answers import BadAnswer, cents_of
from voucherswitch.providers.contract.statement_files import (
    Layout,
    moment_of,
    read_file,
    signed_rand,
)
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow
from voucherswitch.providers.flash.translate import GIFT, ONE_VOUCHER, ONE_VOUCHER_CODE

HEADER: Final = (
    "Date;Reference;Transaction ID;Transaction Type;Product Code;Product;Account Number;Account Name;"
    "Gross Amount;Fee;Commission;Net Amount;Status;Metadata"
)
COLUMNS: Final = HEADER.count(";") + 1
TYPES: Final = {
    "Purchase": RowType.SALE,
    "Redeem": RowType.REDEEM,
    "Refund": RowType.REFUND,
    "Reversal": RowType.REVERSAL,
}
STATUSES: Final = ("Success", "Pending", "Failed")

_NAME = re.compile(r"recon_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TIME: Final = "%Y/%m/%d %H:%M"
_PRODUCT = re.compile(r"[0-9]{1,9}")


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = _fields(line)
    if len(fields) != COLUMNS:
        raise ValueError(f"it has {len(fields)} fields, not {COLUMNS}")
    at, reference, transaction_id, kind, code, _, _, _, gross, fee, commission, net, status, metadata = fields
    if not (reference and transaction_id):
        raise ValueError("Reference or Transaction ID is empty")
    type_ = TYPES.get(kind)
    if type_ is None:
        raise ValueError("the type is none of " + ", ".join(TYPES))
    if not _PRODUCT.fullmatch(code):
        raise ValueError("the product code is not a number")
    if status not in STATUSES:
        raise ValueError("the status is none of " + ", ".join(STATUSES))
    _cents(net)
    return StatementRow(
        line=number,
        provider_ref=transaction_id,
        request_id=reference,
        type=type_,
        serial="",
        cents=signed_rand(gross, type_),
        at=moment_of(at, day, _TIME),
        store=_store(metadata),
        product=ONE_VOUCHER if int(code) == ONE_VOUCHER_CODE else f"{GIFT}{int(code)}",
        fee_cents=_cents(fee),
        commission_cents=_cents(commission),
        status=status,
    )


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader((line,), delimiter=";", strict=True), [])
    except csv.Error:
        raise ValueError("it is not CSV") from None


def _cents(text: str) -> int:
    """A fee, a commission or the net amount: of either sign, and most often nothing."""
    try:
        return cents_of(text)
    except BadAnswer:
        raise ValueError("a fee, commission or net amount is not in rand and cents") from None


def _store(metadata: str) -> str:
    """What we sent as the purchase's store; a redemption sends none."""
    try:
        store = msgspec.json.decode(metadata.encode(), type=dict[str, object]).get("store", "")
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("the metadata is not a JSON object") from None
    return store if isinstance(store, str) else ""


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="recon_<yyyyMMdd>.csv",
    header=HEADER,
    row=_row,
)
