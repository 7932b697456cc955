"""The sandbox's recon file -> typed records (providers.md 11.8). Pure.

`sandbox_markoff_<yyyyMMdd>.csv`: UTF-8, comma, no quoting, a header row, amounts in cents, times with +02:00, and a
trailer with the count and the signed sum. A replacement carries `_R1`, `_R2` before the extension.
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
from voucherswitch.providers.contract.statements import Statement, StatementRow

HEADER: Final = "providerRef,requestId,type,serial,cents,at,store,terminal"

_NAME = re.compile(r"sandbox_markoff_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TRAILER = re.compile(r"TRAILER,([0-9]{1,9}),(-?[0-9]{1,18})")


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split(",")
    if len(fields) != 8:
        raise ValueError(f"it has {len(fields)} fields, not 8")
    provider_ref, request_id, kind, serial, cents, at, store, terminal = fields
    if not (provider_ref and request_id and serial):
        raise ValueError("providerRef, requestId or serial is empty")
    type_ = row_type(kind)
    return StatementRow(
        line=number,
        provider_ref=provider_ref,
        request_id=request_id,
        type=type_,
        serial=serial,
        cents=signed_cents(cents, type_),
        at=moment_of(at, day),
        store=store,
        terminal=terminal,
    )


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="sandbox_markoff_<yyyyMMdd>.csv",
    header=HEADER,
    row=_row,
    trailer=_TRAILER,
)
