"""Stellr's daily file: the sample, what the simulator really did, every file fault, and files that are anything."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.pair_support import Pair
from providers.provider_support import R1, R2, SAMPLE_TIME, until
from providers.stellr.stellr_support import FIRST_PIN, a_redemption, sold
from voucherswitch.message.outcomes import Approved
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.stellr.simulator import start
from voucherswitch.providers.stellr.statement import read_statement

NAME = "STELLR_VSW_20260302.csv"
HEADER = "TransactionId,RequestId,Type,ProductCode,Serial,Amount,TransactionTime,StoreId,TillId"
SALE = (
    "000081234567,5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13,SALE,GAME0100,700000000001,100.00,2026-03-02 14:15:17,"
    "S001,TERM0001"
)
REDEEM = SALE.replace("SALE", "REDEEM").replace("000081234567", "000081234568")
SAMPLE = f"{HEADER}\n{SALE}\nT,1,100.00\n".encode()


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    assert read_statement(NAME, SAMPLE) == Statement(
        day=date(2026, 3, 2),
        rows=(
            StatementRow(
                line=2,
                provider_ref="000081234567",
                request_id=R1,
                type=RowType.SALE,
                serial="700000000001",
                cents=10_000,
                at=datetime(2026, 3, 2, 14, 15, 17, tzinfo=timezone(timedelta(hours=2))),
                store="S001",
                terminal="TERM0001",
                product="GAME0100",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


async def test_18_the_simulator_writes_the_sample_byte_for_byte(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME.replace(":16+", ":17+"))
    await sold(stellr)
    assert await stellr.recon("2026-03-02") == (NAME, SAMPLE)
    assert FIRST_PIN.encode() not in SAMPLE


async def test_18_what_happened_is_what_is_read(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME)
    await sold(stellr)
    await sold(stellr, request_id="b", product="STORE001", amount_cents=123_456)
    assert isinstance(await stellr.connector.redeem(a_redemption(), stellr.call()), Approved)
    statement = read_statement(*await stellr.recon("2026-03-02"))
    assert statement.is_whole
    assert [(row.request_id, row.type.value, row.cents) for row in statement.rows] == [
        (R1, "SALE", 10_000),
        ("b", "SALE", 123_456),
        (R2, "REDEEM", 10_000),
    ]
    assert statement.total_cents == 143_456
    assert read_statement(*await stellr.recon("2026-03-03")) == Statement(date(2026, 3, 3), (), (), ())


@pytest.mark.parametrize(
    ("fault", "rows", "bad", "problems"),
    [
        ("missing_row", [R2], [], []),
        ("extra_row", [R1, R2, "00000000-0000-4000-8000-000000000bad"], [], []),
        ("wrong_amount", [R1, R2], [], []),
        ("duplicate_row", [R1, R2], [BadLine(3, "it repeats line 2")], []),
        ("bad_trailer", [R1, R2], [], ["the trailer's sum is 20001, the rows make 20000"]),
        ("empty_day", [], [], []),
    ],
)
async def test_18_every_file_fault_is_seen(
    stellr: Pair, fault: str, rows: list[str], bad: list[BadLine], problems: list[str]
) -> None:
    """A row that is missing, extra or wrong agrees with its trailer: matching finds it, so it must be read as it is."""
    await stellr.at(SAMPLE_TIME)
    await sold(stellr)
    await stellr.connector.redeem(a_redemption(), stellr.call())
    statement = read_statement(*await stellr.recon("2026-03-02", fault=fault))
    assert [row.request_id for row in statement.rows] == rows
    assert (list(statement.bad_lines), list(statement.problems)) == (bad, problems)
    if fault == "wrong_amount":
        assert statement.total_cents == 20_001


async def test_18_a_cut_file_is_seen_and_a_late_one_is_not_there(stellr: Pair) -> None:
    await stellr.at(SAMPLE_TIME)
    await sold(stellr)
    statement = read_statement(*await stellr.recon("2026-03-02", fault="truncated"))
    assert statement.problems == (
        "the last line has no end: the file may be cut",
        "there is no trailer: the file is cut",
    )
    assert (await stellr.control("GET", "/recon", date="2026-03-02", fault="late")).status == 404


async def test_the_file_of_a_day_is_written_at_one_in_the_night(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        clock = simulator.frame.clock
        day = datetime.fromtimestamp(clock.now(), timezone(timedelta(hours=2))).date()
        clock.set_now(datetime(day.year, day.month, day.day, 23, 0, tzinfo=timezone(timedelta(hours=2))))
        simulator.frame.clock_moved()
        clock.advance(2 * 3_600_000)
        simulator.frame.clock_moved()
        await until((tmp_path / f"STELLR_VSW_{day:%Y%m%d}.csv").exists)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 1 fields, not 9"),
        (SALE + ",x", "it has 10 fields, not 9"),
        (SALE.replace("000081234567", ""), "TransactionId, RequestId or Serial is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("SALE", "REFUND"), "the type is neither SALE nor REDEEM"),
        (SALE.replace(",100.00,", ",10000,"), "the amount is not in rand and cents"),
        (SALE.replace(",100.00,", ",0.00,"), "the amount is zero"),
        (SALE.replace(",100.00,", ",-100.00,"), "the amount has the wrong sign for SALE"),
        (SALE.replace("14:15:17", "24:15:17"), "the time cannot be read"),
        (SALE.replace("2026-03-02 ", "2026-03-03 "), "the time is on another day than the file's"),
        (REDEEM, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE.replace("000081234567", "000081234599"), REDEEM, line, "T,3,200.00")
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3]


def test_a_file_cut_anywhere_is_never_whole() -> None:
    for size in range(len(SAMPLE)):
        assert not read_statement(NAME, SAMPLE[:size]).is_whole


@pytest.mark.parametrize("name", ["STELLR_VSW_20260230.csv", "STELLR_20260302.csv", "stellr_VSW_20260302.csv", ""])
def test_another_name_says_no_day(name: str) -> None:
    statement = read_statement(name, SAMPLE)
    assert statement.day is None
    assert statement.problems == ("the name is not STELLR_<channelId>_<yyyyMMdd>.csv",)


def test_a_replacement_and_a_channel_with_an_underscore_are_read() -> None:
    for name in ("STELLR_VSW_20260302_R1.csv", "STELLR_V_S_W_20260302.csv"):
        assert read_statement(name, SAMPLE).is_whole


@given(st.text(max_size=60), st.binary(max_size=400))
def test_reading_anything_never_raises(name: str, content: bytes) -> None:
    assert not read_statement(name, content).is_whole
    read_statement(NAME, SAMPLE[:90] + content)


@given(st.lists(st.sampled_from([HEADER, SALE, REDEEM, "T,1,100.00", "T,99999,1.00", ",,,,,,,,", "\x00"]), max_size=6))
def test_any_order_of_lines_never_raises(lines: list[str]) -> None:
    read(*lines)
