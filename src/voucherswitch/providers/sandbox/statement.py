"""The sandbox's recon file -> typed records (providers.md 11.8). Pure.

`sandbox_markoff_<yyyyMMdd>.csv`: UTF-8, comma, no quoting, a header row, amounts in cents, times with +02:00, and a
trailer with the count and the signed sum. A replacement carries `_R1`, `_R2` before the extension.
"""

import re
from datetime import date, datetime
from typing import Final

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow

HEADER: Final = "providerRef,requestId,type,serial,cents,at,store,terminal"

_NAME = re.compile(r"sandbox_markoff_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.csv")
_CENTS = re.compile(r"-?[0-9]{1,15}")
_TRAILER = re.compile(r"TRAILER,([0-9]{1,9}),(-?[0-9]{1,18})")
_GIVEN_BACK: Final = frozenset({RowType.REVERSAL, RowType.REDEEM_REVERSAL, RowType.REFUND})  # negative in the file


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    day = _day(file_name)
    if day is None:
        problems.append("the name is not sandbox_markoff_<yyyyMMdd>.csv")
    if content.startswith(b"\xef\xbb\xbf"):
        problems.append("the file starts with a byte order mark")
        content = content[3:]
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    else:
        problems.append("the last line has no end: the file may be cut")
    if not lines or lines[0] != HEADER.encode():
        problems.append("the first line is not the header")
    else:
        lines[0] = b""

    rows: list[StatementRow] = []
    bad_lines: list[BadLine] = []
    seen: dict[tuple[str, RowType], int] = {}
    trailer: re.Match[str] | None = None
    for number, raw in enumerate(lines, start=1):
        if number == 1 and raw == b"":
            continue
        try:
            line = raw.decode()
            if trailer is not None:
                raise ValueError("it comes after the trailer")
            trailer = _TRAILER.fullmatch(line)
            if trailer is None:
                row = _row(number, line, day)
                first = seen.setdefault((row.provider_ref, row.type), number)
                if first != number:
                    raise ValueError(f"it repeats line {first}")
                rows.append(row)
        except UnicodeDecodeError:
            bad_lines.append(BadLine(number, "it is not UTF-8"))
        except ValueError as error:
            bad_lines.append(BadLine(number, str(error)))

    problems.extend(_against_trailer(trailer, rows, bad_lines))
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


def _row(number: int, line: str, day: date | None) -> StatementRow:
    fields = line.split(",")
    if len(fields) != 8:
        raise ValueError(f"it has {len(fields)} fields, not 8")
    provider_ref, request_id, kind, serial, cents, at, store, terminal = fields
    if not (provider_ref and request_id and serial):
        raise ValueError("providerRef, requestId or serial is empty")
    if kind not in list(RowType):
        raise ValueError("the type is none of " + ", ".join(RowType))
    if not _CENTS.fullmatch(cents) or int(cents) == 0:
        raise ValueError("cents is not a whole number other than 0")
    if (int(cents) < 0) != (kind in _GIVEN_BACK):
        raise ValueError(f"cents has the wrong sign for {kind}")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise ValueError("at is not a time") from None
    if moment.tzinfo is None:
        raise ValueError("at has no offset")
    if day is not None and moment.astimezone(SAST).date() != day:
        raise ValueError("at is on another day than the file's")
    return StatementRow(
        line=number,
        provider_ref=provider_ref,
        request_id=request_id,
        type=RowType(kind),
        serial=serial,
        cents=int(cents),
        at=moment,
        store=store,
        terminal=terminal,
    )


def _against_trailer(trailer: re.Match[str] | None, rows: list[StatementRow], bad_lines: list[BadLine]) -> list[str]:
    if trailer is None:
        return ["there is no trailer: the file is cut"]
    problems = []
    count, total = int(trailer[1]), sum(row.cents for row in rows)
    if count != len(rows) + len(bad_lines):
        problems.append(f"the trailer counts {count} rows, the file has {len(rows) + len(bad_lines)}")
    # With a bad line among them the sum cannot be checked.
    if not bad_lines and int(trailer[2]) != total:
        problems.append(f"the trailer's sum is {trailer[2]}, the rows make {total}")
    return problems


def _day(file_name: str) -> date | None:
    named = _NAME.fullmatch(file_name)
    if named is None:
        return None
    try:
        return date(int(named[1]), int(named[2]), int(named[3]))
    except ValueError:
        return None
