"""Supabets' recon file -> typed records (providers.md 5.6). Pure. Proposed layout.

`supabets_settlement_<yyyyMMdd>.jsonl`: one JSON object per line, a header first and a trailer last, cents, times with
+02:00. A replacement carries `_R1`, `_R2` before the extension.
"""

import re
from datetime import date
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from voucherswitch.providers.contract.statement_files import (
    NO_TRAILER,
    check_sign,
    day_of,
    moment_of,
    read_rows,
    row_type,
    split_lines,
    trailer_problems,
)
from voucherswitch.providers.contract.statements import Statement, StatementRow

CENTS_MAX: Final = 10**15

_NAME = re.compile(r"supabets_settlement_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.jsonl")


class Header(Struct, frozen=True, tag_field="rec", tag="header"):
    partner: str
    date: str


class Detail(Struct, frozen=True, tag_field="rec", tag="detail", rename="camel"):
    reservation_id: str
    provider_ref: str
    type: str
    serial: str
    cents: int
    at: str
    site: str


class Trailer(Struct, frozen=True, tag_field="rec", tag="trailer", rename="camel"):
    count: int
    total_cents: int


Line: TypeAlias = Header | Detail | Trailer

_decoder: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = _NAME.fullmatch(file_name)
    day = None if named is None else day_of(*named.groups())
    if day is None:
        problems.append("the name is not supabets_settlement_<yyyyMMdd>.jsonl")
    lines = _after_header(split_lines(content, problems), day, problems)
    trailer: Trailer | None = None

    def parse(number: int, text: str) -> StatementRow | None:
        nonlocal trailer
        if trailer is not None:
            raise ValueError("it comes after the trailer")
        match line := _decoded(text):
            case Trailer():
                trailer = line
                return None
            case Header():
                raise ValueError("it is a second header")
            case Detail():
                return _row(number, line, day)

    rows, bad_lines = read_rows(lines, parse)
    if trailer is None:
        problems.append(NO_TRAILER)
    else:
        problems.extend(trailer_problems(trailer.count, trailer.total_cents, rows, bad_lines))
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


def _after_header(lines: list[tuple[int, bytes]], day: date | None, problems: list[str]) -> list[tuple[int, bytes]]:
    """The lines after the header; all of them, and a problem, when the first is none."""
    try:
        header = _decoded(lines[0][1].decode()) if lines else None
    except ValueError:
        header = None
    if not isinstance(header, Header):
        problems.append("the first line is not the header")
        return lines
    if day is not None and header.date != day.isoformat():
        problems.append("the header is of another day than the name")
    return lines[1:]


def _decoded(text: str) -> Line:
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError("it is not a record of this file") from None


def _row(number: int, line: Detail, day: date | None) -> StatementRow:
    if not (line.provider_ref and line.reservation_id and line.serial):
        raise ValueError("providerRef, reservationId or serial is empty")
    kind = row_type(line.type)
    if line.cents == 0 or abs(line.cents) > CENTS_MAX:
        raise ValueError("the amount is not a whole number of cents other than 0")
    return StatementRow(
        line=number,
        provider_ref=line.provider_ref,
        request_id=line.reservation_id,
        type=kind,
        serial=line.serial,
        cents=check_sign(line.cents, kind),
        at=moment_of(line.at, day),
        store=line.site,
    )
