"""Netcare's recon file -> typed records (providers.md 2.6, Proposed). Pure.

`NVSTMT_<username>_<yyyyMM>.txt`: one file a month, lines of 120 characters, the last a full stop; text padded right
with spaces, numbers left with zeros, cents, South African times. The statement's day is the last of its month.
"""

import re
from calendar import monthrange
from datetime import date
from typing import Final

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.statement_files import (
    NO_TRAILER,
    check_sign,
    day_of,
    moment_of,
    read_rows,
    split_lines,
    trailer_problems,
)
from voucherswitch.providers.contract.statements import RowType, Statement, StatementRow

WIDTH: Final = 120

_NAME = re.compile(r"NVSTMT_([!-~]{1,20})_([0-9]{4})([0-9]{2})(?:_R[0-9]{1,2})?\.txt")
_HEADER = re.compile(r"H(?P<user>.{20})(?P<month>[0-9]{6})(?P<created>[0-9]{14}) {78}\.")
_ROW = re.compile(
    r"D(?P<request>.{36})(?P<reference>.{12})(?P<service>.{20})(?P<type>.)(?P<sign>.)(?P<cents>[0-9]{11})"
    r"(?P<at>[0-9]{14})(?P<site>.{10}) {13}\."
)
_TRAILER = re.compile(r"T(?P<rows>[0-9]{9})(?P<sign>[+-])(?P<cents>[0-9]{13}) {95}\.")
_TYPES: Final = {"S": RowType.SALE, "R": RowType.REVERSAL}
_SIGNS: Final = {"+": 1, "-": -1}


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = _NAME.fullmatch(file_name)
    first = None if named is None else day_of(named[2], named[3], "01")
    if named is None or first is None:
        problems.append("the name is not NVSTMT_<username>_<yyyyMM>.txt")
    lines = split_lines(content, problems)
    if lines and (header := _HEADER.fullmatch(lines[0][1].decode("latin-1"))):
        lines = lines[1:]
        if named and first and (header["user"].rstrip(), header["month"]) != (named[1], named[2] + named[3]):
            problems.append("the header is of another user or month than the name")
    else:
        problems.append("the first line is not the header")
    trailer: re.Match[str] | None = None

    def parse(number: int, line: str) -> StatementRow | None:
        nonlocal trailer
        if trailer is not None:
            raise ValueError("it comes after the trailer")
        trailer = _TRAILER.fullmatch(line)
        return None if trailer is not None else _row(number, line, first)

    rows, bad_lines = read_rows(lines, parse)
    if trailer is None:
        problems.append(NO_TRAILER)
    else:
        total = _SIGNS[trailer["sign"]] * int(trailer["cents"])
        problems.extend(trailer_problems(int(trailer["rows"]), total, rows, bad_lines))
    day = None if first is None else first.replace(day=monthrange(first.year, first.month)[1])
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


def _row(number: int, line: str, month: date | None) -> StatementRow:
    if len(line) != WIDTH:
        raise ValueError(f"it has {len(line)} characters, not {WIDTH}")
    found = _ROW.fullmatch(line)
    if found is None:
        raise ValueError("it is neither a row nor the trailer")
    kind = _TYPES.get(found["type"])
    if kind is None:
        raise ValueError("the type is neither S nor R")
    if found["sign"] not in _SIGNS:
        raise ValueError("the sign is neither + nor -")
    cents = _SIGNS[found["sign"]] * int(found["cents"])
    if cents == 0:
        raise ValueError("the amount is zero")
    request_id, reference = found["request"].rstrip(), found["reference"].rstrip()
    if not (request_id and reference):
        raise ValueError("ClientReference or NetcareReference is empty")
    at = moment_of(found["at"], None, "%Y%m%d%H%M%S")
    if month is not None and (at.astimezone(SAST).year, at.astimezone(SAST).month) != (month.year, month.month):
        raise ValueError("the time is in another month than the file's")
    return StatementRow(
        line=number,
        provider_ref=reference,
        request_id=request_id,
        type=kind,
        serial=reference,
        cents=check_sign(cents, kind),
        at=at,
        store=found["site"].rstrip(),
        product=found["service"].rstrip(),
    )
