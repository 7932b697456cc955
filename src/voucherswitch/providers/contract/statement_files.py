"""The parts that reading any provider's file has alike. Pure.

A file is read to its end whatever is wrong with it: a bad line is kept with its number and the reason, what concerns
the file as a whole is a problem, and nothing is skipped in silence.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Final

from msgspec import Struct

from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow

GIVEN_BACK: Final = frozenset({RowType.REVERSAL, RowType.REDEEM_REVERSAL, RowType.REFUND})  # negative in the files

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CENTS = re.compile(r"-?[0-9]{1,15}")
_RAND = re.compile(r"(-?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,13})\.([0-9]{2})(00)?")


def split_lines(content: bytes, problems: list[str]) -> list[tuple[int, bytes]]:
    """The file's lines, numbered from 1, without their ends; what is wrong with its frame goes to `problems`."""
    if content.startswith(_BYTE_ORDER_MARK):
        problems.append("the file starts with a byte order mark")
        content = content[len(_BYTE_ORDER_MARK) :]
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    else:
        problems.append("the last line has no end: the file may be cut")
    return list(enumerate(lines, start=1))


def take_header(lines: list[tuple[int, bytes]], header: str, problems: list[str]) -> list[tuple[int, bytes]]:
    """The lines after the header; all of them, and a problem, when the first is not the header."""
    if lines and lines[0][1] == header.encode():
        return lines[1:]
    problems.append("the first line is not the header")
    return lines


def read_rows(
    lines: Iterable[tuple[int, bytes]], parse: Callable[[int, str], StatementRow | None]
) -> tuple[list[StatementRow], list[BadLine]]:
    """Read each line with `parse`, which raises ValueError with a reason, or returns None for a line that is no row.

    A row that repeats an earlier one's reference and type is bad: paying it twice would be ours.
    """
    rows: list[StatementRow] = []
    bad: list[BadLine] = []
    seen: dict[tuple[str, str, RowType], int] = {}
    for number, raw in lines:
        try:
            row = parse(number, raw.decode())
            if row is None:
                continue
            first = seen.setdefault((row.provider_ref, row.request_id, row.type), number)
            if first != number:
                raise ValueError(f"it repeats line {first}")
            rows.append(row)
        except UnicodeDecodeError:
            bad.append(BadLine(number, "it is not UTF-8"))
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
    return rows, bad


def trailer_problems(count: int, cents: int, rows: list[StatementRow], bad_lines: list[BadLine]) -> list[str]:
    """How a trailer's count and signed sum disagree with what was read."""
    problems = []
    total = sum(row.cents for row in rows)
    if count != len(rows) + len(bad_lines):
        problems.append(f"the trailer counts {count} rows, the file has {len(rows) + len(bad_lines)}")
    # With a bad line among them the sum cannot be checked.
    if not bad_lines and cents != total:
        problems.append(f"the trailer's sum is {cents}, the rows make {total}")
    return problems


def read_until_trailer(
    lines: Iterable[tuple[int, bytes]],
    trailer: re.Pattern[str],
    totals: Callable[[re.Match[str]], tuple[int, int]],
    parse: Callable[[int, str], StatementRow],
    problems: list[str],
) -> tuple[list[StatementRow], list[BadLine]]:
    """As `read_rows`, up to the trailer, which must be the last line and agree with the rows.

    Args:
        totals: the count and the signed sum in cents that a trailer claims.
    """
    found: re.Match[str] | None = None

    def parse_or_end(number: int, line: str) -> StatementRow | None:
        nonlocal found
        if found is not None:
            raise ValueError("it comes after the trailer")
        found = trailer.fullmatch(line)
        return None if found is not None else parse(number, line)

    rows, bad_lines = read_rows(lines, parse_or_end)
    if found is None:
        problems.append(NO_TRAILER)
    else:
        problems.extend(trailer_problems(*totals(found), rows, bad_lines))
    return rows, bad_lines


class Layout(Struct, frozen=True, kw_only=True):
    """A daily file of lines: a header, rows, and for most a trailer.

    Attributes:
        name: of the file; its last three groups are year, month and day.
        shown_name: the same for people.
        row: reads one line on a day; raises ValueError with the reason.
        trailer: its two groups are the count and the signed sum, read by `totals`.
    """

    name: re.Pattern[str]
    shown_name: str
    header: str
    row: Callable[[int, str, date | None], StatementRow]
    trailer: re.Pattern[str] | None = None
    totals: Callable[[re.Match[str]], tuple[int, int]] = lambda found: (int(found[1]), int(found[2]))


def read_file(layout: Layout, file_name: str, content: bytes) -> Statement:
    """Read a file; what is wrong with it is reported in the statement, never raised."""
    problems: list[str] = []
    named = layout.name.fullmatch(file_name)
    day = None if named is None else day_of(*named.groups()[-3:])
    if day is None:
        problems.append(f"the name is not {layout.shown_name}")
    lines = take_header(split_lines(content, problems), layout.header, problems)

    def parse(number: int, line: str) -> StatementRow:
        return layout.row(number, line, day)

    if layout.trailer is None:
        rows, bad_lines = read_rows(lines, parse)
    else:
        rows, bad_lines = read_until_trailer(lines, layout.trailer, layout.totals, parse, problems)
    return Statement(day, tuple(rows), tuple(bad_lines), tuple(problems))


NO_TRAILER: Final = "there is no trailer: the file is cut"


def day_of(year: str, month: str, day: str) -> date | None:
    """The day that a file's name says; None: it is none."""
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def row_type(text: str) -> RowType:
    """A row's type by our own word for it.

    Raises:
        ValueError: it is none of them.
    """
    if text not in list(RowType):
        raise ValueError("the type is none of " + ", ".join(RowType))
    return RowType(text)


def signed_cents(text: str, kind: RowType) -> int:
    """Cents with the sign that rows of this type have.

    Raises:
        ValueError: no whole number other than 0, or the wrong sign.
    """
    if not _CENTS.fullmatch(text) or int(text) == 0:
        raise ValueError("the amount is not a whole number of cents other than 0")
    return check_sign(int(text), kind)


def signed_rand(text: str, kind: RowType) -> int:
    """A rand decimal with two decimals (or four, of which the last are 0) as cents with the sign of its type.

    Raises:
        ValueError: no such amount, zero, or the wrong sign.
    """
    found = _RAND.fullmatch(text)
    if found is None:
        raise ValueError("the amount is not in rand and cents")
    cents = int(found[2].replace(",", "")) * 100 + int(found[3])
    if cents == 0:
        raise ValueError("the amount is zero")
    return check_sign(-cents if found[1] else cents, kind)


def check_sign(cents: int, kind: RowType) -> int:
    """Return the cents if rows of this type have their sign.

    Raises:
        ValueError: they do not.
    """
    if (cents < 0) != (kind in GIVEN_BACK):
        raise ValueError(f"the amount has the wrong sign for {kind}")
    return cents


def moment_of(text: str, day: date | None, pattern: str | None = None) -> datetime:
    """A row's time: RFC 3339 with its offset, or `pattern` (of strptime) in South African time; on the file's day.

    Raises:
        ValueError: no time, no offset, or another day.
    """
    try:
        if pattern is None:
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, pattern).replace(tzinfo=SAST)
    except ValueError:
        raise ValueError("the time cannot be read") from None
    if moment.tzinfo is None:
        raise ValueError("the time has no offset")
    if day is not None and moment.astimezone(SAST).date() != day:
        raise ValueError("the time is on another day than the file's")
    return moment
