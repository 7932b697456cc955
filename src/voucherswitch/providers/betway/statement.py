"""Betway's recon file -> typed records (providers.md 10.6). Pure. Proposed layout.

`betway_orders_<yyyyMMdd>.psv`: pipes, a header row, cents, times in UTC although the day is the South African one, a
trailer `#EOF|<rows>|<cents>`. A replacement carries `_R1`, `_R2` before the extension.
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

HEADER: Final = "orderId|externalId|type|serial|minor|at|outlet|acknowledged"

_NAME = re.compile(r"betway_orders_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.psv")
_TRAILER = re.compile(r"#EOF\|([0-9]{1,9})\|(-?[0-9]{1,18})")


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    return read_file(_LAYOUT, file_name, content)


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split("|")
    if len(fields) != 8:
        raise ValueError(f"it has {len(fields)} fields, not 8")
    order_id, external_id, kind, serial, minor, at, outlet, acknowledged = fields
    if not (order_id and external_id and serial):
        raise ValueError("orderId, externalId or serial is empty")
    if acknowledged not in ("Y", "N"):
        raise ValueError("acknowledged is neither Y nor N")
    type_ = row_type(kind)
    return StatementRow(
        line=number,
        provider_ref=order_id,
        request_id=external_id,
        type=type_,
        serial=serial,
        cents=signed_cents(minor, type_),
        at=moment_of(at, day),
        store=outlet,
    )


_LAYOUT: Final = Layout(
    name=_NAME,
    shown_name="betway_orders_<yyyyMMdd>.psv",
    header=HEADER,
    row=_row,
    trailer=_TRAILER,
)
