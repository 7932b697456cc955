"""The sandbox's recon file -> typed records (providers.md 11.8). Pure.

`sandbox_markoff_<yyyyMMdd>.csv`: UTF-8, comma, no quoting, a header row, amounts in cents, times with +02:00, and a
trailer with the count and the signed sum. A replacement carries `_R1`, `_R2` before the extension.
"""

import re
from datetime import date
from typing import Final

from voucherswitch.providers.contract.statement_files import (
    NO_TRAILER,
    day_of,
    moment_of,
    read_rows,
    row_type,
    signed_cents,
    split_lines,
    take_header,
    trailer_problems,
)
from voucherswitch.providers.contract.statements import Statement, StatementRow

HEADER: Final = "providerRef,requestId,type,serial,cents,at,store,terminal"

_NAME = re.compile(r"sandbox_markoff_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_TRAILER = re.compile(r"TRAILER,([0-9]{1,9}),(-?[0-9]{1,18})")


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = _NAME.fullmatch(file_name)
    day = None if named is None else day_of(*named.groups())
    if day is None:
        problems.append("the name is not sandbox_markoff_<yyyyMMdd>.csv")
    lines = take_header(split_lines(content, problems), HEADER, problems)
    trailer: re.Match[str] | None = None

    def parse(number: int, line: str) -> StatementRow | None:
        nonlocal trailer
        if trailer is not None:
            raise ValueError("it comes after the trailer")
        trailer = _TRAILER.fullmatch(line)
        return None if trailer is not None else _row(number, line, day)

    rows, bad_lines = read_rows(lines, parse)
    if trailer is None:
        problems.append(NO_TRAILER)
    else:
        problems.extend(trailer_problems(int(trailer[1]), int(trailer[2]), rows, bad_lines))
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


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
