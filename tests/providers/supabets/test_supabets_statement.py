"""Supabets' recon file: what the simulator did comes back whole, and what is wrong is reported with its line."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.provider_support import R1, R2, advice_order, an_id
from providers.supabets.supabets_support import Supabets
from voucherswitch.providers.contract.simulator.recon import FILE_FAULTS
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow
from voucherswitch.providers.supabets.simulator import start
from voucherswitch.providers.supabets.statement import read_statement

NAME = "supabets_settlement_20260302.jsonl"
HEADER = '{"rec":"header","partner":"vsw-example","date":"2026-03-02"}'
SALE = (
    '{"rec":"detail","reservationId":"5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13","providerRef":"SB0000000001","type":"SALE",'
    '"serial":"6100000001","cents":10000,"at":"2026-03-02T14:15:40+02:00","site":"S001"}'
)
REVERSAL = SALE.replace("SALE", "REVERSAL").replace("10000", "-10000")
TRAILER = '{"rec":"trailer","count":1,"totalCents":10000}'
SAMPLE = f"{HEADER}\n{SALE}\n{TRAILER}\n"


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def test_the_sample_is_read() -> None:
    assert read_statement(NAME, SAMPLE.encode()) == Statement(
        day=date(2026, 3, 2),
        rows=(
            StatementRow(
                line=2,
                provider_ref="SB0000000001",
                request_id=R1,
                type=RowType.SALE,
                serial="6100000001",
                cents=10_000,
                at=datetime(2026, 3, 2, 14, 15, 40, tzinfo=timezone(timedelta(hours=2))),
                store="S001",
            ),
        ),
        bad_lines=(),
        problems=(),
    )


async def test_18_the_simulator_writes_the_sample_to_the_byte(supabets: Supabets) -> None:
    await supabets.at("2026-03-02T14:15:16+02:00")
    await supabets.sold()
    await supabets.at("2026-03-02T14:15:40+02:00")
    await supabets.connector.confirm(advice_order(), supabets.call())
    answer = await supabets.control("GET", "/recon", date="2026-03-02")
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.body.decode() == SAMPLE


async def test_18_what_was_done_comes_back(supabets: Supabets) -> None:
    """Only what was committed appears; a release of it is a row of its own day."""
    await supabets.at("2026-03-02T23:50:00+02:00")
    for request_id in (R1, R2, an_id(1), an_id(2)):
        await supabets.sold(request_id)
    for request_id in (R1, R2):
        await supabets.connector.confirm(advice_order(request_id), supabets.call())
    await supabets.connector.reverse(advice_order(an_id(1)), supabets.call())
    await supabets.connector.reverse(advice_order(R2), supabets.call())
    await supabets.at("2026-03-03T00:05:00+02:00")
    await supabets.connector.reverse(advice_order(R1), supabets.call())
    found = {}
    for day in ("2026-03-02", "2026-03-03"):
        answer = await supabets.control("GET", "/recon", date=day)
        statement = read_statement(f"supabets_settlement_{day.replace('-', '')}.jsonl", answer.body)
        assert statement.is_whole
        found[day] = [(row.request_id, row.type.value, row.cents) for row in statement.rows]
    assert found == {
        "2026-03-02": [(R1, "SALE", 10_000), (R2, "SALE", 10_000), (R2, "REVERSAL", -10_000)],
        "2026-03-03": [(R1, "REVERSAL", -10_000)],
    }


@pytest.mark.parametrize("fault", FILE_FAULTS)
async def test_18_every_file_fault_shows(supabets: Supabets, fault: str) -> None:
    await supabets.at("2026-03-02T10:00:00+02:00")
    for request_id in (R1, R2):
        await supabets.sold(request_id)
        await supabets.connector.confirm(advice_order(request_id), supabets.call())
    true = read_statement(NAME, (await supabets.control("GET", "/recon", date="2026-03-02")).body)
    answer = await supabets.control("GET", "/recon", date="2026-03-02", fault=fault)
    if fault == "late":
        assert answer.status == 404
        return
    statement = read_statement(NAME, answer.body)
    if fault in ("duplicate_row", "bad_trailer", "truncated"):
        assert not statement.is_whole
    else:
        # Whole in itself: only our own records tell.
        assert statement.is_whole
        assert statement.total_cents != true.total_cents


async def test_the_file_is_written_at_one_in_the_morning(tmp_path: Path) -> None:
    async with start(outbox_dir=tmp_path) as simulator:
        simulator.frame.clock.set_now(datetime.fromisoformat("2026-03-02T10:00:00+02:00"))
        simulator.frame.clock_moved()
        simulator.frame.clock.set_now(datetime.fromisoformat("2026-03-03T01:00:01+02:00"))
        simulator.frame.clock_moved()
    empty = read_statement(NAME, (tmp_path / NAME).read_bytes())
    assert empty.is_whole
    assert empty.rows == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it is not a record of this file"),
        ("[]", "it is not a record of this file"),
        ('{"rec":"detail"}', "it is not a record of this file"),
        ('{"rec":"other"}', "it is not a record of this file"),
        (SALE[:80], "it is not a record of this file"),
        (SALE.replace("10000", '"10000"'), "it is not a record of this file"),
        (SALE.replace("10000", "100.5"), "it is not a record of this file"),
        (HEADER, "it is a second header"),
        (SALE.replace("SB0000000001", ""), "providerRef, reservationId or serial is empty"),
        (SALE.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (SALE.replace("10000", "0"), "the amount is not a whole number of cents other than 0"),
        (SALE.replace("10000", str(10**16)), "the amount is not a whole number of cents other than 0"),
        (SALE.replace("10000", "-10000"), "the amount has the wrong sign for SALE"),
        (SALE.replace("+02:00", ""), "the time has no offset"),
        (SALE.replace("2026-03-02T", "2026-03-03T"), "the time is on another day than the file's"),
        (SALE.replace("2026-03-02T14", "2026-03-02T25"), "the time cannot be read"),
        (REVERSAL, "it repeats line 3"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(HEADER, SALE.replace("SB0000000001", "SB0000000009"), REVERSAL, line, TRAILER)
    assert statement.bad_lines == (BadLine(4, reason),)
    assert [row.line for row in statement.rows] == [2, 3]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((HEADER, SALE, TRAILER.replace("1,", "2,")), "the trailer counts 2 rows, the file has 1"),
        ((HEADER, SALE, TRAILER.replace("10000", "10001")), "the trailer's sum is 10001, the rows make 10000"),
        ((HEADER, SALE), "there is no trailer: the file is cut"),
        ((), "the first line is not the header"),
        ((SALE, TRAILER), "the first line is not the header"),
        ((HEADER.replace("03-02", "03-03"), SALE, TRAILER), "the header is of another day than the name"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    assert problem in read(*lines).problems


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = f"{HEADER}\n{SALE}\n{REVERSAL}\n{TRAILER.replace('1,', '2,').replace('10000', '0')}\n".encode()
    assert read_statement(NAME, content).is_whole
    assert not any(read_statement(NAME, content[:size]).is_whole for size in range(len(content)))


def test_names_and_bytes_that_do_not_belong() -> None:
    for name in ("settlement.jsonl", "supabets_settlement_20260230.jsonl", "supabets_settlement_20260302.json"):
        other = read(HEADER, SALE, TRAILER, name=name)
        assert (other.day, other.problems) == (None, ("the name is not supabets_settlement_<yyyyMMdd>.jsonl",))
    assert read(HEADER, SALE, TRAILER, name=NAME.replace(".", "_R1.")).is_whole
    after = read(HEADER, SALE, TRAILER, REVERSAL)
    assert after.bad_lines == (BadLine(4, "it comes after the trailer"),)
    binary = read_statement(NAME, f"{HEADER}\n".encode() + b"\xff\xfe\n" + TRAILER.encode() + b"\n")
    assert binary.bad_lines == (BadLine(2, "it is not UTF-8"),)
    deep = read_statement(NAME, b"[" * 100_000)
    assert not deep.is_whole
    not_text = read_statement(NAME, b"\xff" + SAMPLE.encode())
    assert "the first line is not the header" in not_text.problems


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: (SAMPLE + text).encode(errors="replace")))
def test_no_bytes_raise(content: bytes) -> None:
    read_statement(NAME, content)
