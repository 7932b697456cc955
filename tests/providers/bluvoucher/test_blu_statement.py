"""Blu Voucher's recon file: round trips from what the simulator did, every file fault, and hostile bytes."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.bluvoucher.blu_support import Blu, advice_order, provision_order, redeem_order
from providers.provider_support import R1, R2, SAMPLE_TIME, an_id
from voucherswitch.providers.bluvoucher.statement import read_statement
from voucherswitch.providers.contract.provider_time import SAST
from voucherswitch.providers.contract.statements import BadLine, RowType, Statement, StatementRow

NAME = "BLV_90001_20260302.xml"
ROOT = '<Recon device="90001" date="2026-03-02" count="1" total="100.00">'
TRX = (
    '<Trx transRef="BT0000000001" reference="5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13" type="SALE" serial="BS00000001" '
    'amount="100.00" time="2026-03-02 14:15:30"/>'
)
END = "</Recon>"
FAULTS = ["missing_row", "extra_row", "wrong_amount", "duplicate_row", "bad_trailer", "truncated"]


def read(*lines: str, name: str = NAME) -> Statement:
    return read_statement(name, "".join(f"{line}\n" for line in lines).encode())


def root(count: int, total: str) -> str:
    return ROOT.replace('count="1"', f'count="{count}"').replace("100.00", total)


def test_the_sample_is_read() -> None:
    row = StatementRow(
        line=2,
        provider_ref="BT0000000001",
        request_id=R1,
        type=RowType.SALE,
        serial="BS00000001",
        cents=10_000,
        at=datetime(2026, 3, 2, 14, 15, 30, tzinfo=SAST),
        store="",
    )
    assert read(ROOT, TRX, END) == Statement(date(2026, 3, 2), (row,), (), ())
    assert read(root(0, "0.00"), END, name="BLV_90001_20260302_R1.xml").is_whole


async def test_the_sample_is_what_the_simulator_writes(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    await blu.issued()
    await blu.at(SAMPLE_TIME.replace(":16+", ":30+"))
    await blu.aeon.confirm(advice_order(), blu.call())
    answer = await blu.control("GET", "/recon?date=2026-03-02")
    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}"'
    assert answer.body.decode() == f"{ROOT}\n{TRX}\n{END}\n"


async def test_what_was_sold_and_spent_in_both_modes_is_in_the_file_and_nothing_else(blu: Blu) -> None:
    await blu.at(SAMPLE_TIME)
    await blu.usable(an_id(1))
    await blu.issued(an_id(2))  # never confirmed
    await blu.issued(an_id(3))
    await blu.aeon.reverse(advice_order(an_id(3)), blu.call())
    await blu.aeon.redeem(redeem_order(request_id=R2), blu.call())
    traded = await blu.traded(an_id(4), amount_cents=20_000)
    await blu.trade.redeem(redeem_order(traded.code, 4_000, an_id(5)), blu.call())
    await blu.aeon.provision(provision_order(request_id=an_id(1)), blu.call())  # refused
    answer = await blu.control("GET", "/recon?date=2026-03-02")
    statement = read_statement(NAME, answer.body)
    assert statement.is_whole
    assert [(row.type, row.request_id, row.cents) for row in statement.rows] == [
        (RowType.SALE, an_id(1), 10_000),
        (RowType.REDEEM, R2, 10_000),
        (RowType.SALE, an_id(4), 20_000),
        (RowType.REDEEM, an_id(5), 4_000),
    ]
    assert statement.total_cents == 44_000
    assert not any(voucher.code in answer.body.decode() for voucher in blu.simulator.provider.book)
    empty = await blu.control("GET", "/recon?date=2026-03-03")
    assert read_statement("BLV_90001_20260303.xml", empty.body).is_whole


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_spoilt_file_passes_for_the_true_one(blu: Blu, fault: str) -> None:
    await blu.at(SAMPLE_TIME)
    for number in range(3):
        await blu.usable(an_id(number))
    true = read_statement(NAME, (await blu.control("GET", "/recon?date=2026-03-02")).body)
    answer = await blu.control("GET", f"/recon?date=2026-03-02&fault={fault}")
    spoilt = read_statement(NAME, answer.body)
    if fault in ("missing_row", "extra_row", "wrong_amount"):
        assert {(row.request_id, row.cents) for row in spoilt.rows} != {
            (row.request_id, row.cents) for row in true.rows
        }
    else:
        assert not spoilt.is_whole
    assert (await blu.control("GET", "/recon?date=2026-03-02&fault=late")).status == 404
    empty = read_statement(NAME, (await blu.control("GET", "/recon?date=2026-03-02&fault=empty_day")).body)
    assert empty.is_whole
    assert empty.rows == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "it is no Trx element"),
        (TRX[:-1], "it is no Trx element"),
        (TRX.replace("Trx", "Tx"), "it is no Trx element"),
        (TRX.replace("/>", ">x</Trx>"), "it is no Trx element"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + TRX, "it is no Trx element"),
        (TRX.replace("BT0000000001", ""), "it has no transRef"),
        (TRX.replace("serial=", "Serial="), "it has no serial"),
        (TRX.replace("SALE", "SOLD"), "the type is none of SALE, REVERSAL, REDEEM, REDEEM_REVERSAL, REFUND"),
        (TRX.replace("100.00", "100"), "the amount is not in rand and cents"),
        (TRX.replace("100.00", "0.00"), "the amount is zero"),
        (TRX.replace("100.00", "-100.00"), "the amount has the wrong sign for SALE"),
        (TRX.replace("14:15:30", "14:75:30"), "the time cannot be read"),
        (TRX.replace("03-02 14", "03-03 14"), "the time is on another day than the file's"),
        (TRX.replace("BT0000000001", "BT9"), "it repeats line 2"),
    ],
)
def test_a_bad_line_is_reported_and_the_rest_is_read(line: str, reason: str) -> None:
    statement = read(root(2, "100.00"), TRX.replace("BT0000000001", "BT9"), line, END)
    assert statement.bad_lines == (BadLine(3, reason),)
    assert [row.line for row in statement.rows] == [2]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((root(2, "100.00"), TRX, END), "the trailer counts 2 rows, the file has 1"),
        ((root(1, "100.01"), TRX, END), "the trailer's sum is 10001, the rows make 10000"),
        ((ROOT.replace("90001", "90002"), TRX, END), "the device is not that of the file's name"),
        ((ROOT.replace("03-02", "03-03"), TRX, END), "the date is not that of the file's name"),
        ((ROOT.replace('count="1"', 'count="x"'), TRX, END), "the root element has no count and total"),
        ((ROOT.replace(' total="100.00"', ""), TRX, END), "the root element has no count and total"),
        ((ROOT, TRX), "the root element has no end: the file is cut"),
        ((TRX, END), "the first line is not the root element"),
        ((), "the first line is not the root element"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_reported(lines: tuple[str, ...], problem: str) -> None:
    assert problem in read(*lines).problems


def test_a_file_cut_anywhere_is_never_whole() -> None:
    content = f"{ROOT}\n{TRX}\n{END}\n".encode()
    assert read_statement(NAME, content).is_whole
    for size in range(len(content)):
        assert not read_statement(NAME, content[:size]).is_whole


@pytest.mark.parametrize("name", ["x.xml", "BLV_90001_20260230.xml", "BLV__20260302.xml", "BLV_90001_20260302.csv"])
def test_another_name_is_a_problem(name: str) -> None:
    statement = read(ROOT, TRX, END, name=name)
    assert "the name is not BLV_<DeviceId>_<yyyyMMdd>.xml" in statement.problems
    assert len(statement.rows) == 1


@given(st.binary(max_size=500))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    assert not read_statement(NAME, content).is_whole


@given(st.integers(0, 300), st.binary(max_size=10))
def test_a_file_with_any_change_is_read_without_an_error(at: int, put: bytes) -> None:
    content = f"{ROOT}\n{TRX}\n{END}\n".encode()
    read_statement(NAME, content[:at] + put + content[at + len(put) :])
