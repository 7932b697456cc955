"""Stellr's recon file -> typed records (providers.md 1.6, Proposed). Pure.

`STELLR_<channelId>_<yyyyMMdd>.csv`: UTF-8, comma, no quoting, a header row, amounts in rand, South African times, and a
trailer `T,<rows>,<total>`. Sales and redemptions only: Stellr takes no reversals. For a sale whose answer was lost this
file is the only proof, and it has the serial, not the PIN.
"""

import re
from datetime import date
from typing import Final

from voucherswitch.providers.contract.statement_files import (
    Layout,
    moment_of,
    read_file,
    row_type,
    signed_rand,
)
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow

HEADER: Final = "TransactionId,RequestId,Type,ProductCode,Serial,Amount,TransactionTime,StoreId,TillId"

_NAME = re.compile(r"STELLR_[!-~]{1,16}_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TRAILER = re.compile(r"T,([0-9]{1,9}),([0-9]{1,16})\.([0-9]{2})")
_TYPES: Final = frozenset({RowType.SALE, RowType.REDEEM})


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split(",")
    if len(fields) != 9:
        raise ValueError(f"it has {len(fields)} fields, not 9")
    transaction_id, request_id, kind, product, serial, amount, at, store, till = fields
    if not (transaction_id and request_id and serial):
        raise ValueError("TransactionId, RequestId or Serial is empty")
    type_ = row_type(kind)
    if type_ not in _TYPES:
        raise ValueError("the type is neither SALE nor REDEEM")
    return StatementRow(
        line=number,
        provider_ref=transaction_id,
        request_id=request_id,
        type=type_,
        serial=serial,
        cents=signed_rand(amount, type_),
        at=moment_of(at, day, "%Y-%m-%d %H:%M:%S"),
        store=store,
        terminal=till,
        product=product,
    )


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="STELLR_<channelId>_<yyyyMMdd>.csv",
    header=HEADER,
    row=_row,
    trailer=_TRAILER,
    totals=lambda found: (int(found[1]), int(found[2] + found[3])),
)
