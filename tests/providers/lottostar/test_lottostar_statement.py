"""The daily file: what the simulator really did comes back, and every fault of a file is seen (3.6, Part D 18)."""

import hashlib
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.lottostar.lottostar_support import Lottostar, provision_order, settings_of
from providers.pair_support import running
from providers.provider_support import R1, R2, SAMPLE_TIME, advice_order, an_id
from voucherswitch.message.outcomes import Acknowledged, Approved
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.lottostar.connector import connect
from voucherswitch.providers.lottostar.simulator import start
from voucherswitch.providers.lottostar.statement import HEADER, read_statement

NAME = "lottostar_LSK-EXAMPLE_2026-03-02.csv"
DAY = "2026-03-02"
SALE = (
    '"LSV000000000001","5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","SALE","880000000001","10000",'
    '"2026-03-02T14:15:16.420+02:00","S001","TERM0001"'
)
REVERSAL = (
    '"LSV000000000001","5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","REVERSAL","880000000001","-10000",'
    '"2026-03-02T14:20:00.000+02:00","S001","TERM0001"'
)
SAST = timezone(timedelta(hours=2))


def read(*lines: str, name: str = NAME, digest: bytes | None = None) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode(), digest)


def digest_of(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n"


def test_the_sample_is_read() -> None:
    row = StatementRow(
        line=2,
        provider_ref="LSV000000000001",
        request_id=R1,
        type=RowType.SALE,
        serial="880000000001",
        cents=10_000,
        at=datetime(2026, 3, 2, 14, 15, 16, 420_000, tzinfo=SAST),
        store="S001",
        terminal="TERM0001",
    )
    statement = read(HEADER, SALE, REVERSAL)
    assert statement.is_whole
    assert (statement.day, statement.rows[0], statement.total_cents) == (date(2026, 3, 2), row, 0)
    assert (statement.rows[1].type, statement.rows[1].cents) == (RowType.REVERSAL, -10_000)


def test_the_digest_stands_for_the_trailer() -> None:
    content = f"{HEADER}\n{SALE}\n".encode()
    assert read_statement(NAME, content, digest_of(content)).is_whole
    # Cut between two lines the file looks whole; only the digest tells.
    cut = f"{HEADER}\n".encode()
    assert read_statement(NAME, cut).is_whole
    rejected = read_statement(NAME, cut, digest_of(content))
    assert rejected.problems == ("the digest in the side file is not that of the file",)
    good = digest_of(content)
    for digest in (b"", good[:-1], good.upper(), good + b"\n", b" " + good, b"\xff" * 65):
        problem = read_statement(NAME, content, digest).problems
        assert problem == ("the side file does not hold one digest in lower-case hex",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "its fields are not all in double quotes"),
        (SALE.replace('"SALE"', "SALE"), "its fields are not all in double quotes"),
        (SALE[:-1], "its fields are not all in double quotes"),
        (SALE + ',"x"', "it has 9 fields, not 8"),
        (SALE.replace("LSV000000000001", ""), "voucherId, clientTxnId or serial is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("SALE", "REDEEM"), "the type is neither SALE nor REVERSAL"),
        (SALE.replace('"10000"', '"100.00"'), "the amount is not a whole number of cents other than 0"),
        (SALE.replace('"10000"', '"-10000"'), "the amount has the wrong sign for SALE"),
        (REVERSAL.replace('"-10000"', '"10000"'), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace("+02:00", ""), "the time has no offset"),
        (SALE.replace("03-02T", "03-03T"), "the time is on another day than the file's"),
        (SALE, "it repeats line 2"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE, line, REVERSAL)
    assert statement.bad_lines == (BadLine(3, reason),)
    assert [row.line for row in statement.rows] == [2, 4]


def test_quotes_in_a_field_and_strange_bytes() -> None:
    quoted = read(HEADER, SALE.replace("TERM0001", 'A ""B"", C'))
    assert quoted.rows[0].terminal == 'A "B", C'
    assert read_statement(NAME, HEADER.encode() + b"\n\xff\xfe\n").bad_lines == (BadLine(2, "it is not UTF-8"),)
    marked = read_statement(NAME, b"\xef\xbb\xbf" + f"{HEADER}\n".encode())
    assert marked.problems == ("the file starts with a byte order mark",)
    assert read(SALE).problems == ("the first line is not the header",)


@pytest.mark.parametrize(
    "name", ["lottostar_2026-03-02.csv", "lottostar_K_2026-02-30.csv", "lottostar_K_20260302.csv", NAME + ".sha256", ""]
)
def test_a_name_that_does_not_belong(name: str) -> None:
    statement = read(HEADER, SALE, name=name)
    assert (statement.day, statement.problems) == (None, ("the name is not lottostar_<key_id>_<yyyy-MM-dd>.csv",))
    assert len(statement.rows) == 1


@given(content=st.binary() | st.text('"",\n' + SALE).map(str.encode), digest=st.none() | st.binary())
def test_no_bytes_make_the_reader_raise(content: bytes, digest: bytes | None) -> None:
    statement = read_statement(NAME, content, digest)
    assert not statement.rows or statement.total_cents is not None


# What the simulator really did


async def a_day(lottostar: Lottostar) -> None:
    """Three sales, one of them voided, and one that was refused."""
    await lottostar.at(SAMPLE_TIME)
    for request_id, cents in ((R1, 1_000), (R2, 2_000), (an_id(1), 5_000)):
        outcome = await lottostar.provision(request_id=request_id, amount_cents=cents)
        assert isinstance(outcome, Approved)
    await lottostar.provision(request_id=an_id(2), amount_cents=1)
    assert await lottostar.connector.reverse(advice_order(R2), lottostar.call()) == Acknowledged()


async def test_18_the_file_is_what_happened(lottostar: Lottostar) -> None:
    await a_day(lottostar)
    name, content = await lottostar.recon(DAY)
    statement = read_statement(name, content)
    assert name == NAME
    assert statement.is_whole
    assert [(row.request_id, row.type, row.cents, row.store, row.terminal) for row in statement.rows] == [
        (R1, RowType.SALE, 1_000, "S001", "TERM0001"),
        (R2, RowType.SALE, 2_000, "S001", "TERM0001"),
        (an_id(1), RowType.SALE, 5_000, "S001", "TERM0001"),
        (R2, RowType.REVERSAL, -2_000, "S001", "TERM0001"),
    ]
    assert [row.provider_ref for row in statement.rows] == [f"LSV{n:012d}" for n in (1, 2, 3, 2)]
    books = (await lottostar.totals())["centsByType"]
    assert statement.total_cents == books["SALE"] + books["REVERSAL"] == 100_000_000 - 99_994_000


async def test_18_a_reversal_of_another_day_is_a_row_of_its_own(lottostar: Lottostar) -> None:
    await lottostar.at("2026-03-01T23:55:00+02:00")
    await lottostar.provision()
    await lottostar.advance(10 * 60_000)
    await lottostar.connector.reverse(advice_order(), lottostar.call())
    statement = read_statement(*await lottostar.recon(DAY))
    assert [(row.type, row.cents) for row in statement.rows] == [(RowType.REVERSAL, -10_000)]


async def test_18_every_file_fault_is_seen(tmp_path: Path) -> None:
    async with running(Lottostar, "lottostar", partial(start, outbox_dir=tmp_path), connect, settings_of) as pair:
        await a_day(pair)
        _, whole = await pair.recon(DAY)
        truth = read_statement(NAME, whole, (tmp_path / f"{NAME}.sha256").read_bytes())
        assert truth.is_whole
        for fault in FILE_FAULTS:
            if fault == "late":
                assert (await pair.control("GET", "/recon", date=DAY, fault=fault)).status == 404
                continue
            name, content = await pair.recon(DAY, fault=fault)
            side = (tmp_path / f"{name}.sha256").read_bytes()
            assert (tmp_path / name).read_bytes() == content
            statement = read_statement(name, content, side)
            seen: dict[str, Any] = {
                "missing_row": len(statement.rows) == 3,
                "extra_row": len(statement.rows) == 5,
                "wrong_amount": statement.total_cents == truth.total_cents + 1,
                "duplicate_row": [line.reason for line in statement.bad_lines] == ["it repeats line 2"],
                "bad_trailer": statement.problems == ("the digest in the side file is not that of the file",),
                "truncated": "the digest in the side file is not that of the file" in statement.problems,
                "empty_day": statement.rows == (),
            }
            assert seen[fault], fault
            # What the provider made wrong itself agrees with its digest; matching finds it, row by row.
            assert statement.is_whole is (fault in ("missing_row", "extra_row", "wrong_amount", "empty_day"))


async def test_18_files_and_digests_are_left_in_the_outbox_at_one_o_clock(tmp_path: Path) -> None:
    async with running(Lottostar, "lottostar", partial(start, outbox_dir=tmp_path), connect, settings_of) as pair:
        await a_day(pair)
        await pair.at("2026-03-03T00:59:00+02:00")
        assert not (tmp_path / NAME).exists()
        await pair.at("2026-03-03T01:00:01+02:00")
        content = (tmp_path / NAME).read_bytes()
        assert len(read_statement(NAME, content, (tmp_path / f"{NAME}.sha256").read_bytes()).rows) == 4
        await pair.connector.provision(provision_order(an_id(9)), pair.call())
        replaced, _ = await pair.recon(DAY, fault="missing_row")
        assert replaced == NAME.replace(".csv", "_R1.csv")
        side = (tmp_path / f"{replaced}.sha256").read_bytes()
        again = read_statement(replaced, (tmp_path / replaced).read_bytes(), side)
        assert again.day == date(2026, 3, 2)
        assert again.is_whole
