"""Yoyo's recon file -> typed records (providers.md 7.6, Proposed). Pure.

`yoyo_recon_<retailerId>_<yyyyMMdd>.csv`: UTF-8, tabs, a header row, amounts in cents, times with their offset, and a
trailer with the count and the signed sum. A replacement carries `_R1`, `_R2` before the extension.

An issue goes by its `userRef`, which is ours only with our prefix; otherwise it is a customer's number, which is not
kept: such a row is found by its item.
"""

import re
from datetime import date
from typing import Final

from voucherswitch.providers.contract.statement_files import (
    Layout,
    moment_of,
    read_file,
    row_type,
    signed_cents,
)
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow
from voucherswitch.providers.yoyo.translate import USER_REF_PREFIX

HEADER: Final = "reference\titemId\twiTrxId\ttype\tcents\ttime\tstoreId"

_NAME = re.compile(r"yoyo_recon_[0-9A-Za-z]{1,20}_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TRAILER = re.compile(r"#rows\t([0-9]{1,9})\t(-?[0-9]{1,18})")
_ISSUES: Final = frozenset({RowType.SALE, RowType.REVERSAL})


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split("\t")
    if len(fields) != 7:
        raise ValueError(f"it has {len(fields)} fields, not 7")
    reference, item_id, wi_trx_id, kind, cents, at, store = fields
    type_ = row_type(kind)
    if not reference or not item_id:
        raise ValueError("reference or itemId is empty")
    # A redemption is one of the platform's transactions, an issue is none.
    if bool(wi_trx_id) is (type_ in _ISSUES):
        raise ValueError(f"wiTrxId is {'there' if wi_trx_id else 'missing'} for {type_}")
    if type_ in _ISSUES:
        ours = reference.startswith(USER_REF_PREFIX)
        reference = reference.removeprefix(USER_REF_PREFIX) if ours else ""
    return StatementRow(
        line=number,
        provider_ref=wi_trx_id or item_id,
        request_id=reference,
        type=type_,
        serial=item_id,
        cents=signed_cents(cents, type_),
        at=moment_of(at, day),
        store=store,
    )


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="yoyo_recon_<retailerId>_<yyyyMMdd>.csv",
    header=HEADER,
    row=_row,
    trailer=_TRAILER,
)
