"""The daily file: what the simulator really did comes back, and every fault of a file is seen (4.6, Part D 18)."""

from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.hollywoodbets.hollywoodbets_support import Hollywoodbets, settings_of
from providers.pair_support import running
from providers.provider_support import R1, R2, SAMPLE_TIME, advice_order, an_id
from voucherswitch.message.outcomes import Acknowledged, Approved
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.hollywoodbets.connector import connect
from voucherswitch.providers.hollywoodbets.simulator import start
from voucherswitch.providers.hollywoodbets.statement import read_statement

NAME = "HTU_sim-partner_02032026.txt"
DAY = "2026-03-02"
HEADER = "H|sim-partner|02/03/2026|ZAR"
SALE = "D|5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13|51000001|4100000001|SALE|100.00|02/03/2026 14:15:16|S001"
REVERSAL = SALE.replace("SALE|100.00", "REVERSAL|-100.00").replace("14:15:16", "14:20:00")


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    row = StatementRow(
        line=2,
        provider_ref="51000001",
        request_id=R1,
        type=RowType.SALE,
        serial="4100000001",
        cents=10_000,
        at=datetime(2026, 3, 2, 14, 15, 16, tzinfo=timezone(timedelta(hours=2))),
        store="S001",
    )
    assert read(HEADER, SALE, "T|1|100.00") == Statement(date(2026, 3, 2), (row,), (), ())


def test_an_empty_day_and_a_signed_sum() -> None:
    assert read(HEADER, "T|0|0.00").is_whole
    both = read(HEADER, SALE, REVERSAL, "T|2|0.00", name="HTU_sim-partner_02032026_R1.txt")
    assert both.is_whole
    assert [row.cents for row in both.rows] == [10_000, -10_000]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it is not a line D with 7 fields"),
        (SALE + "|x", "it is not a line D with 7 fields"),
        (SALE[:-5], "it is not a line D with 7 fields"),
        (SALE.replace("D|", "E|", 1), "it is not a line D with 7 fields"),
        (HEADER, "it is not a line D with 7 fields"),
        (SALE.replace("51000001", ""), "partnerRef, voucherId or serialNumber is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("SALE", "REDEEM"), "the type is neither SALE nor REVERSAL"),
        (SALE.replace("|100.00|", "|100|"), "the amount is not in rand and cents"),
        (SALE.replace("|100.00|", "|0.00|"), "the amount is zero"),
        (SALE.replace("|100.00|", "|-100.00|"), "the amount has the wrong sign for SALE"),
        (REVERSAL.replace("|-100.00|", "|100.00|"), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace("02/03/2026 14", "2/3/2026 14"), "the time cannot be read"),
        (SALE.replace("14:15:16", "24:15:16"), "the time cannot be read"),
        (SALE.replace("02/03/2026 14", "03/03/2026 14"), "the time is on another day than the file's"),
        (SALE, "it repeats line 2"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE, line, REVERSAL, "T|3|0.00")
    assert statement.bad_lines == (BadLine(3, reason),)
    assert [row.line for row in statement.rows] == [2, 4]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((HEADER, SALE, "T|2|100.00"), "the trailer counts 2 rows, the file has 1"),
        ((HEADER, SALE, "T|1|100.01"), "the trailer's sum is 10001, the rows make 10000"),
        ((HEADER, SALE), "there is no trailer: the file is cut"),
        ((), "there is no trailer: the file is cut"),
        ((SALE, "T|1|100.00"), "the first line is not the header"),
        (("H|other|02/03/2026|ZAR", SALE, "T|1|100.00"), "the first line is not the header"),
        (("H|sim-partner|03/03/2026|ZAR", SALE, "T|1|100.00"), "the first line is not the header"),
        (("H|sim-partner|02/03/2026|USD", SALE, "T|1|100.00"), "the first line is not the header"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    statement = read(*lines)
    assert problem in statement.problems
    assert not statement.is_whole
    assert len(statement.rows) == sum(line == SALE for line in lines)


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = "".join(f"{line}\n" for line in (HEADER, SALE, REVERSAL, "T|2|0.00")).encode()
    assert read_statement(NAME, content).is_whole
    for size in range(len(content)):
        assert not read_statement(NAME, content[:size]).is_whole


def test_lines_after_the_trailer_strange_bytes_and_names() -> None:
    after = read(HEADER, SALE, "T|1|100.00", REVERSAL)
    assert after.bad_lines == (BadLine(4, "it comes after the trailer"),)
    binary = read_statement(NAME, HEADER.encode() + b"\n\xff\xfe\nT|0|0.00\n")
    assert binary.bad_lines == (BadLine(2, "it is not UTF-8"),)
    for name in ("HTU_02032026.txt", "HTU_p_31022026.txt", "HTU_p_20260302.txt", NAME + ".gz", ""):
        other = read(HEADER, SALE, "T|1|100.00", name=name)
        assert (other.day, other.problems) == (None, ("the name is not HTU_<partner>_<ddMMyyyy>.txt",))
        assert len(other.rows) == 1


@given(content=st.binary() | st.text("HDT|/: .-\n" + SALE).map(str.encode))
def test_no_bytes_make_the_reader_raise(content: bytes) -> None:
    statement = read_statement(NAME, content)
    assert not statement.rows or statement.total_cents is not None


# What the simulator really did


async def a_day(hollywoodbets: Hollywoodbets) -> None:
    """Three sales, one of them blocked, and one that was refused."""
    await hollywoodbets.at(SAMPLE_TIME)
    for request_id, cents in ((R1, 1_000), (R2, 2_000), (an_id(1), 5_000)):
        assert isinstance(await hollywoodbets.provision(request_id=request_id, amount_cents=cents), Approved)
    await hollywoodbets.provision(request_id=an_id(2), amount_cents=20_000)
    assert await hollywoodbets.connector.reverse(advice_order(R2), hollywoodbets.call()) == Acknowledged()


async def test_18_the_file_is_what_happened(hollywoodbets: Hollywoodbets) -> None:
    await a_day(hollywoodbets)
    name, content = await hollywoodbets.recon(DAY)
    statement = read_statement(name, content)
    assert name == NAME
    assert statement.is_whole
    assert [(row.request_id, row.type, row.cents, row.store) for row in statement.rows] == [
        (R1, RowType.SALE, 1_000, "S001"),
        (R2, RowType.SALE, 2_000, "S001"),
        (an_id(1), RowType.SALE, 5_000, "S001"),
        (R2, RowType.REVERSAL, -2_000, "S001"),
    ]
    assert [row.provider_ref for row in statement.rows] == ["51000001", "51000002", "51000003", "51000002"]
    assert statement.total_cents == 100_000_000 - (await hollywoodbets.totals())["floatCents"]


async def test_18_a_reversal_of_another_day_is_a_row_of_its_own(hollywoodbets: Hollywoodbets) -> None:
    await hollywoodbets.at("2026-03-01T23:55:00+02:00")
    await hollywoodbets.provision()
    await hollywoodbets.advance(10 * 60_000)
    await hollywoodbets.connector.reverse(advice_order(), hollywoodbets.call())
    statement = read_statement(*await hollywoodbets.recon(DAY))
    assert [(row.type, row.cents) for row in statement.rows] == [(RowType.REVERSAL, -10_000)]


async def test_18_every_file_fault_is_seen(hollywoodbets: Hollywoodbets) -> None:
    await a_day(hollywoodbets)
    truth = read_statement(*await hollywoodbets.recon(DAY))
    for fault in FILE_FAULTS:
        if fault == "late":
            assert (await hollywoodbets.control("GET", "/recon", date=DAY, fault=fault)).status == 404
            continue
        statement = read_statement(*await hollywoodbets.recon(DAY, fault=fault))
        seen: dict[str, Any] = {
            "missing_row": len(statement.rows) == 3,
            "extra_row": len(statement.rows) == 5,
            "wrong_amount": statement.total_cents == truth.total_cents + 1,
            "duplicate_row": [line.reason for line in statement.bad_lines] == ["it repeats line 2"],
            "bad_trailer": statement.problems == ("the trailer's sum is 6001, the rows make 6000",),
            "truncated": "there is no trailer: the file is cut" in statement.problems,
            "empty_day": statement.rows == (),
        }
        assert seen[fault], fault
        # What the provider made wrong itself agrees with its trailer; matching finds it, row by row.
        assert statement.is_whole is (fault in ("missing_row", "extra_row", "wrong_amount", "empty_day"))


async def test_18_files_are_left_in_the_outbox_at_one_o_clock(tmp_path: Path) -> None:
    outbox = partial(start, outbox_dir=tmp_path)
    async with running(Hollywoodbets, "hollywoodbets", outbox, connect, settings_of) as pair:
        await a_day(pair)
        await pair.at("2026-03-03T00:59:00+02:00")
        assert not (tmp_path / NAME).exists()
        await pair.at("2026-03-03T01:00:01+02:00")
        assert len(read_statement(NAME, (tmp_path / NAME).read_bytes()).rows) == 4
        assert not (tmp_path / f"{NAME}.sha256").exists()
