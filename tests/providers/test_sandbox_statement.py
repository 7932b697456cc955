"""The sandbox's recon file: what is wrong is reported with its line, and the rest is read."""

from datetime import date, datetime, timedelta, timezone

import pytest

from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.sandbox.statement import HEADER, read_statement

NAME = "sandbox_markoff_20260302.csv"
SALE = "SBXV00000001,5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13,SALE,SX00000001,10000,2026-03-02T14:15:30+02:00,S001,TERM0001"
REFUND = SALE.replace("SBXV", "SBXF").replace("SALE", "REFUND").replace(",10000,", ",-4000,")


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    assert read(HEADER, SALE, "TRAILER,1,10000") == Statement(
        day=date(2026, 3, 2),
        rows=(
            StatementRow(
                line=2,
                provider_ref="SBXV00000001",
                request_id="5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13",
                type=RowType.SALE,
                serial="SX00000001",
                cents=10_000,
                at=datetime(2026, 3, 2, 14, 15, 30, tzinfo=timezone(timedelta(hours=2))),
                store="S001",
                terminal="TERM0001",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


def test_an_empty_day_and_a_signed_sum() -> None:
    empty = read(HEADER, "TRAILER,0,0")
    assert empty.is_whole
    assert empty.rows == ()
    both = read(HEADER, SALE, REFUND, "TRAILER,2,6000", name="sandbox_markoff_20260302_R1.csv")
    assert both.is_whole
    assert both.total_cents == 6_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 1 fields, not 8"),
        (SALE + ",x", "it has 9 fields, not 8"),
        (SALE[:30], "it has 2 fields, not 8"),
        (SALE.replace("SBXV00000001", ""), "providerRef, requestId or serial is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace(",10000,", ",100.00,"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace(",10000,", ",0,"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace(",10000,", ",\u0661,"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace(",10000,", ",-10000,"), "the amount has the wrong sign for SALE"),
        (REFUND.replace(",-4000,", ",4000,"), "the amount has the wrong sign for REFUND"),
        (SALE.replace("+02:00", ""), "the time has no offset"),
        (SALE.replace("2026-03-02T", "2026-13-02T"), "the time cannot be read"),
        (SALE.replace("2026-03-02T", "2026-03-03T"), "the time is on another day than the file's"),
        (REFUND, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE.replace("SBXV00000001", "SBXV00000009"), REFUND, line, "TRAILER,3,6000")
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3]
    assert not statement.is_whole


def test_midnight_belongs_to_the_local_day() -> None:
    early = SALE.replace("2026-03-02T14:15:30+02:00", "2026-03-01T22:00:00Z")
    assert read(HEADER, early, "TRAILER,1,10000").is_whole


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((HEADER, SALE, "TRAILER,2,10000"), "the trailer counts 2 rows, the file has 1"),
        ((HEADER, SALE, "TRAILER,1,10001"), "the trailer's sum is 10001, the rows make 10000"),
        ((HEADER, SALE), "there is no trailer: the file is cut"),
        ((), "there is no trailer: the file is cut"),
        ((SALE, "TRAILER,1,10000"), "the first line is not the header"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    statement = read(*lines)
    assert problem in statement.problems
    assert len(statement.rows) == sum(line == SALE for line in lines)


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = "".join(f"{line}\n" for line in (HEADER, SALE, REFUND, "TRAILER,2,6000")).encode()
    assert read_statement(NAME, content).is_whole
    for size in range(len(content)):
        assert not read_statement(NAME, content[:size]).is_whole


def test_lines_after_the_trailer_bytes_and_names_that_do_not_belong() -> None:
    after = read(HEADER, SALE, "TRAILER,1,10000", REFUND)
    assert after.bad_lines == (BadLine(4, "it comes after the trailer"),)
    binary = read_statement(NAME, HEADER.encode() + b"\n\xff\xfe\nTRAILER,0,0\n")
    assert binary.bad_lines == (BadLine(2, "it is not UTF-8"),)
    marked = read_statement(NAME, b"\xef\xbb\xbf" + HEADER.encode() + b"\nTRAILER,0,0\n")
    assert marked.problems == ("the file starts with a byte order mark",)
    for name in ("markoff.csv", "sandbox_markoff_20260230.csv", "sandbox_markoff_2026-03-02.csv"):
        other = read(HEADER, SALE, "TRAILER,1,10000", name=name)
        assert other.day is None
        assert other.problems == ("the name is not sandbox_markoff_<yyyyMMdd>.csv",)
        assert len(other.rows) == 1
