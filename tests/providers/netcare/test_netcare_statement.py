"""Netcare's monthly file: the sample, what the simulator really did, every file fault, and files that are anything."""

import os
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.netcare.netcare_support import FIRST_NUMBER, an_advice, sold
from providers.pair_support import Pair
from providers.provider_support import R1, R2, R3, SAMPLE_TIME, until
from voucherswitch.message.outcomes import Acknowledged
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.netcare.simulator import start
from voucherswitch.providers.netcare.statement import read_statement

NAME = "NVSTMT_sim-netcare_202603.txt"
HEADER = "Hsim-netcare         20260320260401010000" + " " * 78 + "."
SALE = (
    "D5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13NV0000000001GP-CONSULT-1        S+0000001000020260302141517S001"
    + " " * 19
    + "."
)
BACK = SALE.replace("S+", "R-").replace("141517", "141518")
SAMPLE = f"{HEADER}\n{SALE}\nT000000001+0000000010000{' ' * 95}.\n".encode()
ANOTHERS = "the header is of another user or month than the name"
SAST = timezone(timedelta(hours=2))


def trailer(rows: int, cents: int) -> str:
    return f"T{rows:09d}{'-' if cents < 0 else '+'}{abs(cents):013d}{' ' * 95}."


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    assert {len(line) for line in SAMPLE.splitlines()} == {120}
    assert read_statement(NAME, SAMPLE) == Statement(
        day=date(2026, 3, 31),
        rows=(
            StatementRow(
                line=2,
                provider_ref="NV0000000001",
                request_id=R1,
                type=RowType.SALE,
                serial="NV0000000001",
                cents=10_000,
                at=datetime(2026, 3, 2, 14, 15, 17, tzinfo=SAST),
                store="S001",
                product="GP-CONSULT-1",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


async def test_18_the_simulator_writes_the_sample_byte_for_byte(netcare: Pair) -> None:
    await netcare.at(SAMPLE_TIME)
    voucher = await sold(netcare)
    await netcare.at(SAMPLE_TIME.replace(":16+", ":17+"))
    assert await netcare.connector.confirm(an_advice(voucher), netcare.call()) == Acknowledged()
    for day in ("2026-03-01", "2026-03-02", "2026-03-31"):
        assert await netcare.recon(day) == (NAME, SAMPLE)
    assert FIRST_NUMBER.encode() not in SAMPLE


async def _a_month(netcare: Pair) -> None:
    """A sale; another, cancelled later; one never confirmed; one cancelled before it was confirmed."""
    await netcare.at(SAMPLE_TIME)
    for request_id in (R1, R2):
        voucher = await sold(netcare, request_id=request_id)
        await netcare.connector.confirm(an_advice(voucher, request_id=request_id), netcare.call())
    await netcare.connector.reverse(an_advice(voucher, request_id=R2), netcare.call())
    await sold(netcare, request_id=R3)
    early = await sold(netcare, request_id=R3[::-1])
    await netcare.connector.reverse(an_advice(early, request_id=R3[::-1]), netcare.call())


async def test_18_what_happened_is_what_is_read(netcare: Pair) -> None:
    """A voucher is sold when it is confirmed: what lapsed, or was cancelled before, was never a sale."""
    await _a_month(netcare)
    statement = read_statement(*await netcare.recon("2026-03-15"))
    assert statement.is_whole
    assert [(row.request_id, row.type.value, row.cents) for row in statement.rows] == [
        (R1, "SALE", 10_000),
        (R2, "SALE", 10_000),
        (R2, "REVERSAL", -10_000),
    ]
    assert read_statement(*await netcare.recon("2026-04-01")) == Statement(date(2026, 4, 30), (), (), ())


@pytest.mark.parametrize(
    ("fault", "rows", "bad", "problems"),
    [
        ("missing_row", [R2, R2], [], []),
        ("extra_row", [R1, R2, R2, "00000000-0000-4000-8000-000000000bad"], [], []),
        ("wrong_amount", [R1, R2, R2], [], []),
        ("duplicate_row", [R1, R2, R2], [BadLine(3, "it repeats line 2")], []),
        ("bad_trailer", [R1, R2, R2], [], ["the trailer's sum is 10001, the rows make 10000"]),
        ("empty_day", [], [], []),
    ],
)
async def test_18_every_file_fault_is_seen(
    netcare: Pair, fault: str, rows: list[str], bad: list[BadLine], problems: list[str]
) -> None:
    await _a_month(netcare)
    statement = read_statement(*await netcare.recon("2026-03-02", fault=fault))
    assert [row.request_id for row in statement.rows] == rows
    assert (list(statement.bad_lines), list(statement.problems)) == (bad, problems)
    if fault == "wrong_amount":
        assert statement.total_cents == 10_001


async def test_18_a_cut_file_is_seen_and_a_late_one_is_not_there(netcare: Pair) -> None:
    await _a_month(netcare)
    statement = read_statement(*await netcare.recon("2026-03-02", fault="truncated"))
    assert statement.bad_lines == (BadLine(4, "it has 60 characters, not 120"),)
    assert statement.problems == (
        "the last line has no end: the file may be cut",
        "there is no trailer: the file is cut",
    )
    assert (await netcare.control("GET", "/recon", date="2026-03-02", fault="late")).status == 404


async def test_the_file_of_a_month_is_written_when_the_month_is_over(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        clock = simulator.frame.clock
        this = datetime.fromtimestamp(clock.now(), SAST)
        first = (this.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=59, second=0, microsecond=0)
        clock.set_now(first)
        simulator.frame.clock_moved()
        assert f"NVSTMT_sim-netcare_{this:%Y%m}.txt" not in os.listdir(tmp_path)
        clock.set_now(first + timedelta(minutes=1))
        simulator.frame.clock_moved()
        await until((tmp_path / f"NVSTMT_sim-netcare_{this:%Y%m}.txt").exists)
        clock.set_now(first + timedelta(days=9))
        simulator.frame.clock_moved()
        assert os.listdir(tmp_path) == [f"NVSTMT_sim-netcare_{this:%Y%m}.txt"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it has 0 characters, not 120"),
        (SALE[:-1], "it has 119 characters, not 120"),
        (SALE + ".", "it has 121 characters, not 120"),
        (SALE[:-1] + ",", "it is neither a row nor the trailer"),
        (SALE.replace("00000010000", "000000100.0"), "it is neither a row nor the trailer"),
        ("X" + SALE[1:], "it is neither a row nor the trailer"),
        (HEADER, "it is neither a row nor the trailer"),
        (SALE.replace("S+", "X+"), "the type is neither S nor R"),
        (SALE.replace("S+", "S "), "the sign is neither + nor -"),
        (SALE.replace("S+", "S-"), "the amount has the wrong sign for SALE"),
        (SALE.replace("S+", "R+"), "the amount has the wrong sign for REVERSAL"),
        (SALE.replace("00000010000", "00000000000"), "the amount is zero"),
        (SALE.replace(R1, " " * 36), "ClientReference or NetcareReference is empty"),
        (SALE.replace("NV0000000001", " " * 12), "ClientReference or NetcareReference is empty"),
        (SALE.replace("20260302141517", "20260332141517"), "the time cannot be read"),
        (SALE.replace("20260302141517", "20260402141517"), "the time is in another month than the file's"),
        (BACK, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE.replace("NV0000000001", "NV0000000009"), BACK, line, trailer(3, 0))
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((HEADER, SALE, trailer(2, 10_000)), "the trailer counts 2 rows, the file has 1"),
        ((HEADER, SALE, trailer(1, 10_001)), "the trailer's sum is 10001, the rows make 10000"),
        ((HEADER, BACK, trailer(1, 10_000)), "the trailer's sum is 10000, the rows make -10000"),
        ((HEADER, SALE), "there is no trailer: the file is cut"),
        ((), "the first line is not the header"),
        ((SALE, trailer(1, 10_000)), "the first line is not the header"),
        (
            (HEADER.replace("202603", "202604", 1), trailer(0, 0)),
            "the header is of another user or month than the name",
        ),
        (
            (HEADER.replace("sim-netcare", "sim-netcarf"), trailer(0, 0)),
            "the header is of another user or month than the name",
        ),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    assert problem in read(*lines).problems


def test_a_negative_month_and_a_replacement_are_read() -> None:
    statement = read(HEADER, BACK, trailer(1, -10_000), name=NAME.replace(".txt", "_R1.txt"))
    assert statement.is_whole
    assert statement.total_cents == -10_000


def test_a_file_cut_anywhere_is_never_whole() -> None:
    for size in range(len(SAMPLE)):
        assert not read_statement(NAME, SAMPLE[:size]).is_whole


@pytest.mark.parametrize(
    "name", ["NVSTMT_sim-netcare_202613.txt", "NVSTMT_202603.txt", "nvstmt_sim-netcare_202603.txt", ""]
)
def test_another_name_says_no_month(name: str) -> None:
    statement = read_statement(name, SAMPLE)
    assert statement.day is None
    assert statement.problems == ("the name is not NVSTMT_<username>_<yyyyMM>.txt",)


@given(st.text(max_size=60), st.binary(max_size=400))
def test_reading_anything_never_raises(name: str, content: bytes) -> None:
    assert not read_statement(name, content).is_whole
    read_statement(NAME, SAMPLE[:121] + content)


@given(st.lists(st.sampled_from([HEADER, SALE, BACK, trailer(1, 10_000), " " * 120, "D" * 120, "\x00"]), max_size=6))
def test_any_order_of_lines_never_raises(lines: list[str]) -> None:
    read(*lines)


@given(st.integers(0, 119), st.characters(codec="utf-8"))
def test_any_character_changed_never_raises(place: int, letter: str) -> None:
    changed = SALE[:place] + letter + SALE[place + 1 :]
    read(HEADER, changed, trailer(1, 10_000))
    read(HEADER[:place] + letter + HEADER[place + 1 :], SALE, trailer(1, 10_000))
