"""Blu Voucher's recon file -> typed records (providers.md 8.7, Proposed). Pure.

`BLV_<DeviceId>_<yyyyMMdd>.xml`: one element per line; the root's count and total are the trailer. Amounts in rand,
times in South African time. Only sold vouchers and spends are in it. A replacement carries `_R1`, `_R2` before the
extension.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from voucherswitch.providers.contract.answers import BadAnswer
from voucherswitch.providers.contract.statement_files import (
    day_of,
    moment_of,
    read_rows,
    row_type,
    signed_rand,
    split_lines,
    trailer_problems,
)
from voucherswitch.providers.contract.statements import Statement, StatementRow
from voucherswitch.providers.contract.transport.xml import name_of, parse

TIME_PATTERN: Final = "%Y-%m-%d %H:%M:%S"

_NAME = re.compile(r"BLV_([0-9A-Za-z-]{1,20})_([0-9]{4})([0-9]{2})([0-9]{2})(?:_R[0-9]{1,2})?\.xml")
_COUNT = re.compile(r"[0-9]{1,9}")
_TOTAL = re.compile(r"(-?)([0-9]{1,16})\.([0-9]{2})")
_END = "</Recon>"


def read_statement(file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = _NAME.fullmatch(file_name)
    day = None if named is None else day_of(*named.groups()[1:])
    if day is None:
        problems.append("the name is not BLV_<DeviceId>_<yyyyMMdd>.xml")
    lines = split_lines(content, problems)
    claims = _attributes(lines[0][1] + _END.encode(), "Recon") if lines else None
    if claims is None:
        problems.append("the first line is not the root element")
    else:
        lines = lines[1:]
        if named is not None and claims.get("device") != named[1]:
            problems.append("the device is not that of the file's name")
        if day is not None and claims.get("date") != day.isoformat():
            problems.append("the date is not that of the file's name")
    ended = False

    def parse_line(number: int, line: str) -> StatementRow | None:
        nonlocal ended
        if ended:
            raise ValueError("it comes after the end")
        ended = line == _END
        return None if ended else _row(number, line, day)

    rows, bad_lines = read_rows(lines, parse_line)
    if not ended:
        problems.append("the root element has no end: the file is cut")
    if claims is not None:
        count, total = _COUNT.fullmatch(claims.get("count", "")), _TOTAL.fullmatch(claims.get("total", ""))
        if count is None or total is None:
            problems.append("the root element has no count and total")
        else:
            cents = int(total[2] + total[3])
            problems.extend(trailer_problems(int(count[0]), -cents if total[1] else cents, rows, bad_lines))
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


def _row(number: int, line: str, day: date | None) -> StatementRow:
    found = _attributes(line.encode(), "Trx")
    if found is None:
        raise ValueError("it is no Trx element")
    missing = [name for name in ("transRef", "reference", "serial") if not found.get(name)]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    kind = row_type(found.get("type", ""))
    return StatementRow(
        line=number,
        provider_ref=found["transRef"],
        request_id=found["reference"],
        type=kind,
        serial=found["serial"],
        cents=signed_rand(found.get("amount", ""), kind),
        at=moment_of(found.get("time", ""), day, TIME_PATTERN),
        store="",
    )


def _attributes(document: bytes, name: str) -> Mapping[str, str] | None:
    """The attributes of an element without content; None: it is something else."""
    try:
        root = parse(document)
    except BadAnswer:
        return None
    if name_of(root) != name or len(root) or (root.text or "").strip():
        return None
    return {str(key): str(value) for key, value in root.items()}
