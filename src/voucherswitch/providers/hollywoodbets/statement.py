"""Hollywoodbets' recon file, as proposed -> typed records (providers.md 4.6). Pure.

`HTU_<partner>_<ddMMyyyy>.txt`: UTF-8, fields between pipes, one header `H`, details `D`, one trailer `T` with the count
and the signed sum; rand with two decimals, South African time. A replacement carries `_R1`, `_R2` before the extension.
"""

import re
from datetime import date
from typing import Final

from voucherswitch.providers.contract.answers import cents_of
from voucherswitch.providers.contract.statement_files import (
    day_of,
    moment_of,
    read_until_trailer,
    row_type,
    signed_rand,
    split_lines,
    take_header,
)
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow

FIELDS: Final = 8
TIME: Final = "%d/%m/%Y %H:%M:%S"

_NAME = re.compile(r"HTU_([^|\n]+)_([0-9]{2})([0-9]{2})([0-9]{4})(?:_R[0-9]{1,2})?\.txt")
_TRAILER = re.compile(r"T\|([0-9]{1,9})\|(-?[0-9]{1,13}\.[0-9]{2})")
_MOMENT = re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_TYPES: Final = frozenset({RowType.SALE, RowType.REVERSAL})


def header(partner: str, day: date) -> str:
    """The header line of a file."""
    return f"H|{partner}|{day:%d/%m/%Y}|ZAR"


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = _NAME.fullmatch(file_name)
    day = None if named is None else day_of(named[4], named[3], named[2])
    lines = split_lines(content, problems)
    if named is None or day is None:
        problems.append("the name is not HTU_<partner>_<ddMMyyyy>.txt")
        lines = [line for line in lines if not line[1].startswith(b"H|")]
    else:
        lines = take_header(lines, header(named[1], day), problems)
    rows, bad_lines = read_until_trailer(
        lines,
        _TRAILER,
        lambda found: (int(found[1]), cents_of(found[2])),
        lambda number, line: _row(number, line, day),
        problems,
    )
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split("|")
    if fields[0] != "D" or len(fields) != FIELDS:
        raise ValueError("it is not a line D with 7 fields")
    _, partner_ref, voucher_id, serial, kind, amount, at, outlet = fields
    if not (partner_ref and voucher_id and serial):
        raise ValueError("partnerRef, voucherId or serialNumber is empty")
    type_ = row_type(kind)
    if type_ not in _TYPES:
        raise ValueError("the type is neither SALE nor REVERSAL")
    if not _MOMENT.fullmatch(at):
        raise ValueError("the time cannot be read")
    return StatementRow(
        line=number,
        provider_ref=voucher_id,
        request_id=partner_ref,
        type=type_,
        serial=serial,
        cents=signed_rand(amount, type_),
        at=moment_of(at, day, TIME),
        store=outlet,
    )
