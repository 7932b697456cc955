"""OTT's recon file -> typed records (providers.md 6.6, Proposed). Pure.

`OTT_STATEMENT_<vendor_code>_<yyyyMMdd>.csv`: UTF-8, comma, a field with a comma in double quotes, a header row, rand
with two decimals and comma groups, South African times. A replacement carries `_R1`, `_R2` before the extension.

There is no trailer, so a row that is missing is found only by matching with our own records. `Balance` is checked to be
an amount, not to continue: payments into our account change it and have no row.
"""

import csv
import re
from datetime import date
from typing import Final

from voucherswitch.providers.contract.answers import BadAnswer, cents_of
from voucherswitch.providers.contract.statement_files import (
    Layout,
    moment_of,
    read_file,
    row_type,
    signed_rand,
)
from voucherswitch.providers.contract.statements import Statement, StatementRow

HEADER: Final = "Date,UniqueReference,VoucherID,SerialNumber,Type,Amount,Branch,Balance"

_NAME = re.compile(r"OTT_STATEMENT_[0-9A-Za-z-]{1,50}_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = _fields(line)
    if len(fields) != 8:
        raise ValueError(f"it has {len(fields)} fields, not 8")
    at, reference, voucher_id, serial, kind, amount, branch, balance = fields
    if not (reference and voucher_id and serial):
        raise ValueError("UniqueReference, VoucherID or SerialNumber is empty")
    type_ = row_type(kind)
    try:
        cents_of(balance)
    except BadAnswer:
        raise ValueError("the balance is not in rand and cents") from None
    return StatementRow(
        line=number,
        provider_ref=voucher_id,
        request_id=reference,
        type=type_,
        serial=serial,
        cents=signed_rand(amount, type_),
        at=moment_of(at, day, _TIME),
        store=branch,
    )


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        raise ValueError("its quotes do not match") from None


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="OTT_STATEMENT_<vendor code>_<yyyyMMdd>.csv",
    header=HEADER,
    row=_row,
)
